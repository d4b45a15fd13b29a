-- Asks the ledger the questions in patchdeck.questions, a JSON array of SELECTs of one text that read patchdeck.runs, until
-- one has an answer. Leaves that in patchdeck.answer and the question's number, from 1, in patchdeck.answered; '' and 0
-- where there is none, no ledger, or no right to read it. A DO block, because a plain statement that names a missing
-- table can not be planned; and no to_regclass(), because it raises where the role may not use the schema.
do $$
declare
    question record;
    answer text;
    answered bigint := 0;
    readable boolean := pg_catalog.current_setting('patchdeck.ledger_state', true) = 'read';
begin
    -- Where ledger_read.sql did not come by it just now.
    if readable is not true then
        readable := exists (
            select
              from pg_catalog.pg_class c
              join pg_catalog.pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'patchdeck' and c.relname = 'runs'
               and pg_catalog.has_schema_privilege(n.oid, 'USAGE') and pg_catalog.has_table_privilege(c.oid, 'SELECT'));
    end if;
    if readable then
        for question in
            select q.text, q.number
              from pg_catalog.json_array_elements_text(pg_catalog.current_setting('patchdeck.questions')::json)
                   with ordinality as q (text, number)
        loop
            begin
                execute question.text into answer;
            exception when undefined_column then
                -- The ledger of an earlier release kept less.
                answer := null;
            end;
            if answer is not null then
                answered := question.number;
                exit;
            end if;
        end loop;
    end if;
    perform pg_catalog.set_config('patchdeck.answer', coalesce(answer, ''), true),
            pg_catalog.set_config('patchdeck.answered', answered::text, true);
end
$$

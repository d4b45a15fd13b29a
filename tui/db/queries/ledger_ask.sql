-- Asks the ledger the question in patchdeck.question, a SELECT of one text that reads patchdeck.runs, and leaves the answer
-- in patchdeck.answer; '' where there is none, no ledger, or no right to read it. A DO block, because a plain statement
-- that names a missing table can not be planned; and no to_regclass(), because it raises where the role may not use the
-- schema.
do $$
declare
    answer text;
begin
    if exists (
        select
          from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'patchdeck' and c.relname = 'runs'
           and pg_catalog.has_schema_privilege(n.oid, 'USAGE') and pg_catalog.has_table_privilege(c.oid, 'SELECT')
    ) then
        execute pg_catalog.current_setting('patchdeck.question') into answer;
    end if;
    perform pg_catalog.set_config('patchdeck.answer', coalesce(answer, ''), true);
end
$$

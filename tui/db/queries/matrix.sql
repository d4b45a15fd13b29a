-- Makes the synthetic rows and tries every case of the setting patchdeck.matrix:
--   {seed: [{table, sql: [..]}], passes: [{setup: [..], personas: [{role, claims, steps: [{t, s, c, r}]}]}]}
-- t: the table without whose rows a step can not be tried; s: its statement; c: it answers with a number; r: the query
-- of the one row that s, which has no WHERE, is tried on: WHERE CURRENT OF reads no column, so the same policies apply
-- as if it had none.
-- Leaves {unseeded: {table: reason}, passes: [{error, results: [..]}]} in patchdeck.matrix_result. A result is N and a
-- number of rows, G (42501, no right), P (42501, row-level security), D (42501 in other words), an SQLSTATE, or X, not run.
-- Each case runs in a subtransaction that is undone at once by raising UU000, so that no case sees another's work; the
-- subtransaction around each persona puts role and claims back (facts: supabase D6). The caller rolls back the rest.
-- A statement_timeout is not caught: it ends everything, as it should.
do $$
declare
    matrix jsonb := pg_catalog.current_setting('patchdeck.matrix')::jsonb;
    unseeded jsonb := '{}';
    passes jsonb := '[]';
    pass jsonb;
    seed record;
    persona record;
    step record;
    statement text;
    answers text[];
    own text[];
    answer text;
    failure text;
    number bigint;
    row_at refcursor;
begin
    if pg_catalog.current_setting('patchdeck.refused') <> '[]' then
        return;
    end if;
    for seed in select s ->> 'table' as name, s -> 'sql' as sql from pg_catalog.jsonb_array_elements(matrix -> 'seed') s loop
        begin
            for statement in select pg_catalog.jsonb_array_elements_text(seed.sql) loop
                execute statement;
            end loop;
        exception when others then
            unseeded := unseeded || pg_catalog.jsonb_build_object(seed.name, sqlerrm || ' (' || sqlstate || ')');
        end;
    end loop;
    for pass in select pg_catalog.jsonb_array_elements(matrix -> 'passes') loop
        answers := '{}';
        failure := null;
        begin
            for statement in select pg_catalog.jsonb_array_elements_text(pass -> 'setup') loop
                execute statement;
            end loop;
        exception when others then
            failure := sqlerrm || ' (' || sqlstate || ')';
        end;
        if failure is null then
            for persona in
                select p ->> 'role' as role, p ->> 'claims' as claims, p -> 'steps' as steps
                  from pg_catalog.jsonb_array_elements(pass -> 'personas') p
            loop
                own := '{}';
                begin
                    perform pg_catalog.set_config('request.jwt.claims', persona.claims, true),
                            pg_catalog.set_config('role', persona.role, true);
                    for step in
                        select * from pg_catalog.jsonb_to_recordset(persona.steps) as x (t text, s text, c boolean, r text)
                    loop
                        if unseeded ? step.t then
                            own := pg_catalog.array_append(own, 'X');
                            continue;
                        end if;
                        begin
                            if step.r is not null then
                                -- The owner finds the row, the persona is not to read anything.
                                perform pg_catalog.set_config('role', 'none', true);
                                row_at := 'patchdeck_row';
                                open row_at for execute step.r;
                                move next in row_at;
                                perform pg_catalog.set_config('role', persona.role, true);
                                execute step.s || ' where current of patchdeck_row';
                                get diagnostics number = row_count;
                            elsif step.c then
                                execute step.s into number;
                            else
                                execute step.s;
                                get diagnostics number = row_count;
                            end if;
                            raise exception sqlstate 'UU000' using message = number::text;
                        exception
                            when sqlstate 'UU000' then
                                answer := 'N' || sqlerrm;
                            when insufficient_privilege then
                                answer := case
                                    when sqlerrm like '%row-level security%' then 'P'
                                    when sqlerrm like '%permission denied%' then 'G'
                                    else 'D'
                                end;
                            when others then
                                answer := sqlstate;
                        end;
                        own := pg_catalog.array_append(own, answer);
                    end loop;
                    raise exception sqlstate 'UU001';
                exception
                    when sqlstate 'UU001' then
                        null;
                    when others then
                        failure := sqlerrm || ' (' || sqlstate || ')';
                end;
                answers := answers || own;
            end loop;
        end if;
        passes := passes || pg_catalog.jsonb_build_array(
            pg_catalog.jsonb_build_object('error', failure, 'results', pg_catalog.to_jsonb(answers))
        );
    end loop;
    perform pg_catalog.set_config(
        'patchdeck.matrix_result', pg_catalog.jsonb_build_object('unseeded', unseeded, 'passes', passes)::text, true
    );
end
$$

-- Makes the twins, reads them and undoes them: executes the statements in the setting patchdeck.twin, a JSON array of
-- {key, sql}, and leaves in patchdeck.twin_failed a JSON object {key: "SQLSTATE message"} of those that could not be, in
-- patchdeck.twin_catalog what the query patchdeck.catalog_query says of the others when it is given patchdeck.twin_wanted.
-- With patchdeck.twin_again only what failed last time is made, and the relation it hangs on: patchdeck.twin is left with
-- no more than that.
-- A key that begins with `table ` or `view ` begins a group. A group runs in one subtransaction, and statement by
-- statement only when that fails: each subtransaction costs a transaction id, and dozens of them slow everybody's
-- snapshots. All of them are in one that is undone, so nothing survives, whatever becomes of the transaction.
do $$
declare
    again constant jsonb := case when pg_catalog.current_setting('patchdeck.twin_again') = 'on'
                                 then pg_catalog.current_setting('patchdeck.twin_failed')::jsonb end;
    failed jsonb := '{}';
    left_over jsonb := '[]';
    asked jsonb := pg_catalog.current_setting('patchdeck.twin_wanted')::jsonb;
    found text;
    part record;
    step record;
    reason text;
begin
    begin
        for part in
            select jsonb_agg(s.statement order by s.at) as statements
              from (
                  select g.statement, g.at, g.number,
                         pg_catalog.row_number() over (partition by g.number order by g.at) = 1 as head
                    from (
                        select e.statement, e.at,
                               count(*) filter (where e.statement ->> 'key' like 'table %'
                                                   or e.statement ->> 'key' like 'view %')
                                   over (order by e.at) as number
                          from pg_catalog.jsonb_array_elements(pg_catalog.current_setting('patchdeck.twin')::jsonb)
                               with ordinality as e (statement, at)
                    ) g
              ) s
             where again is null or s.head or again ? (s.statement ->> 'key')
             group by s.number
            having again is null or bool_or(again ? (s.statement ->> 'key'))
             order by s.number
        loop
            found := '';
            begin
                for step in select s ->> 'sql' as sql from pg_catalog.jsonb_array_elements(part.statements) s loop
                    execute step.sql;
                end loop;
                continue;
            exception when others then
                null;
            end;
            reason := null;
            left_over := left_over || part.statements;
            for step in
                select s.statement ->> 'key' as key, s.statement ->> 'sql' as sql, s.at
                  from pg_catalog.jsonb_array_elements(part.statements) with ordinality as s (statement, at)
            loop
                -- Without the relation itself, nothing on it can be made: its reason is theirs.
                if reason is null then
                    begin
                        execute step.sql;
                    exception when others then
                        failed := failed || pg_catalog.jsonb_build_object(step.key, sqlstate || ' ' || sqlerrm);
                        if step.at = 1 then
                            reason := sqlstate || ' ' || sqlerrm;
                        end if;
                    end;
                else
                    failed := failed || pg_catalog.jsonb_build_object(step.key, reason);
                end if;
            end loop;
        end loop;
        if found is not null then
            if again is not null then
                asked := asked || pg_catalog.jsonb_build_object('views', '[]'::jsonb, 'tables', (
                    select pg_catalog.jsonb_agg(pg_catalog.substr(e ->> 'key', pg_catalog.strpos(e ->> 'key', ' ') + 1))
                      from pg_catalog.jsonb_array_elements(pg_catalog.current_setting('patchdeck.twin')::jsonb) e
                     where e ->> 'key' like 'table %' or e ->> 'key' like 'view %'));
            end if;
            execute pg_catalog.current_setting('patchdeck.catalog_query') into found using asked::text;
        end if;
        raise exception 'undo the twins' using errcode = 'PD004';
    exception when sqlstate 'PD004' then
        null;
    end;
    perform pg_catalog.set_config('patchdeck.twin', left_over::text, true),
            pg_catalog.set_config('patchdeck.twin_failed', failed::text, true),
            pg_catalog.set_config('patchdeck.twin_catalog', coalesce(found, ''), true);
end
$$

-- Makes the twins: executes the statements in the setting patchdeck.twin, a JSON array of {key, sql}, and leaves in
-- patchdeck.twin_failed a JSON object {key: "SQLSTATE message"} of those that could not be.
-- A key that begins with `table ` or `view ` begins a group. A group runs in one subtransaction, and statement by
-- statement only when that fails: each subtransaction costs a transaction id, and dozens of them slow everybody's
-- snapshots. The caller rolls back, so nothing survives.
do $$
declare
    failed jsonb := '{}';
    part record;
    step record;
    reason text;
begin
    for part in
        select jsonb_agg(s.statement order by s.at) as statements
          from (
              select e.statement, e.at,
                     count(*) filter (where e.statement ->> 'key' like 'table %' or e.statement ->> 'key' like 'view %')
                         over (order by e.at) as number
                from pg_catalog.jsonb_array_elements(pg_catalog.current_setting('patchdeck.twin')::jsonb)
                     with ordinality as e (statement, at)
          ) s
         group by s.number
         order by s.number
    loop
        begin
            for step in select s ->> 'sql' as sql from pg_catalog.jsonb_array_elements(part.statements) s loop
                execute step.sql;
            end loop;
            continue;
        exception when others then
            null;
        end;
        reason := null;
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
    perform pg_catalog.set_config('patchdeck.twin_failed', failed::text, true);
end
$$

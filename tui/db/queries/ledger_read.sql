-- The newest runs of the ledger as a JSON array in patchdeck.ledger, '' where there is no ledger yet or no right to read it.
-- A DO block, because a plain statement that names a missing table can not be planned.
do $$
declare
    runs text := '';
begin
    if pg_catalog.to_regclass('patchdeck.runs') is not null
        and pg_catalog.has_table_privilege('patchdeck.runs', 'SELECT')
    then
        execute 'select coalesce(jsonb_agg(r order by r.finished_at desc), ''[]'')::text from (
            select run_id, bundle, version, checksum, action, mode, operator, client_host, server_version,
                   started_at, finished_at, seconds, lock_seconds, statements, outcome
              from patchdeck.runs order by finished_at desc limit 50) r' into runs;
    end if;
    perform pg_catalog.set_config('patchdeck.ledger', runs, true);
end
$$

-- One run at a time per database, by a transaction-level advisory lock: a session-level one would stay in the pooler's
-- connection. It raises instead of answering false, so that the rest of the batch is skipped (facts: migrations D2).
do $$
declare
    run_key constant bigint := pg_catalog.hashtextextended('patchdeck.run', 0);
    holder text;
begin
    -- SET LOCAL outside a transaction only warns: make sure that the limits are in force before anything is touched.
    if (select s.setting from pg_catalog.pg_settings s where s.name = 'lock_timeout')
        <> pg_catalog.current_setting('patchdeck.lock_timeout_ms')
    then
        raise exception 'the limits of this run did not take effect' using errcode = 'PD002';
    end if;
    if not pg_catalog.pg_try_advisory_xact_lock(run_key) then
        select pg_catalog.format(
                   '%s (role %s, process %s, since %s)',
                   coalesce(nullif(a.application_name, ''), 'a session'), a.usename, a.pid,
                   pg_catalog.to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'))
          into holder
          from pg_catalog.pg_locks l
          join pg_catalog.pg_stat_activity a on a.pid = l.pid
         where l.locktype = 'advisory' and l.granted and l.objsubid = 1
           and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
           and l.classid::bigint = ((run_key >> 32) & 4294967295)
           and l.objid::bigint = (run_key & 4294967295)
         limit 1;
        raise exception 'another run is under way on this database: %', coalesce(holder, 'its holder is not visible')
            using errcode = 'PD001';
    end if;
    -- What exists before the first statement, so that locks on new relations can be told from locks on old ones.
    perform pg_catalog.set_config('patchdeck.relations', (
        select coalesce(pg_catalog.jsonb_agg(c.oid::bigint), '[]')::text
          from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p', 'v', 'm')
           and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')), true);
end
$$

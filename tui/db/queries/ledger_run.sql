-- Committed runs of a bundle whose id begins as asked for, newest first and at most two, as a JSON array in
-- patchdeck.found; '' where there is no ledger or no right to read it. The caller puts the bundle's name into
-- patchdeck.bundle and the beginning of the id into patchdeck.run ('' for the newest).
do $$
declare
    ledger oid := (
        select c.oid
          from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'patchdeck' and c.relname = 'runs'
           and pg_catalog.has_schema_privilege(n.oid, 'USAGE') and pg_catalog.has_table_privilege(c.oid, 'SELECT'));
    runs text := '';
begin
    if ledger is not null then
        execute $read$
            select coalesce(jsonb_agg(r.run order by r.finished_at desc), '[]')::text
              from (
                  select finished_at,
                         jsonb_build_object(
                             'record', to_jsonb(runs) - 'surface_before' - 'surface_after' - 'findings_before',
                             'xid', xid, 'digest', digest, 'before', surface_before, 'after', surface_after) as run
                    from patchdeck.runs
                   where bundle = current_setting('patchdeck.bundle') and outcome = 'committed'
                     and starts_with(run_id::text, current_setting('patchdeck.run'))
                   order by finished_at desc
                   limit 2
              ) r
        $read$ into runs;
    end if;
    perform pg_catalog.set_config('patchdeck.found', runs, true);
end
$$

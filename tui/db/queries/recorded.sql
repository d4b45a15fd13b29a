-- The catalog recorded by the newest apply of this very bundle on this very server version, as JSON in
-- patchdeck.recorded; '' where there is none. It passed every check before it was committed, so it can stand in for the
-- twins where none can be made (decision 27). The caller puts the bundle's digest into patchdeck.digest.
do $$
declare
    ledger oid := (
        select c.oid
          from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'patchdeck' and c.relname = 'runs'
           and pg_catalog.has_schema_privilege(n.oid, 'USAGE') and pg_catalog.has_table_privilege(c.oid, 'SELECT'));
    surface text;
begin
    if ledger is not null then
        execute $read$
            select r.surface_after::text
              from patchdeck.runs r
             where r.action = 'apply' and r.outcome = 'committed'
               and r.digest = current_setting('patchdeck.digest')
               and r.server_version = current_setting('server_version')
             order by r.finished_at desc
             limit 1
        $read$ into surface;
    end if;
    perform pg_catalog.set_config('patchdeck.recorded', coalesce(surface, ''), true);
end
$$

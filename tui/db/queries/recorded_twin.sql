-- Where the newest apply of this very bundle (patchdeck.bundle, patchdeck.digest) was recorded on this very server
-- version: what it left, as far as twins go, into patchdeck.recorded_twin, and no twins into patchdeck.twin, so that none
-- is made. '' where there is no such record, no ledger or no right to read it.
do $$
declare
    ledger oid := (
        select c.oid
          from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'patchdeck' and c.relname = 'runs'
           and pg_catalog.has_schema_privilege(n.oid, 'USAGE') and pg_catalog.has_table_privilege(c.oid, 'SELECT'));
    recorded text;
begin
    if ledger is not null then
        execute $read$
            select jsonb_strip_nulls(jsonb_build_object(
                       'tables', (select coalesce(jsonb_agg(t.body - '{grants,rules,comment}'::text[]), '[]')
                                    from jsonb_array_elements(r.surface_after -> 'tables') as t (body)),
                       'views', (select coalesce(jsonb_agg(v.body - '{grants,rules,comment}'::text[]), '[]')
                                   from jsonb_array_elements(r.surface_after -> 'views') as v (body))))::text
              from patchdeck.runs r
             where r.bundle = current_setting('patchdeck.bundle') and r.digest = current_setting('patchdeck.digest')
               and r.server_version = current_setting('server_version')
               and r.action = 'apply' and r.outcome = 'committed'
             order by r.finished_at desc
             limit 1
        $read$ into recorded;
    end if;
    perform pg_catalog.set_config('patchdeck.recorded_twin', coalesce(recorded, ''), true);
    if recorded <> '' then
        perform pg_catalog.set_config('patchdeck.twin', '[]', true);
    end if;
end
$$

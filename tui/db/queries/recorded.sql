-- What the ledger keeps of the newest apply and of the newest run of a bundle, as JSON {"apply": ..., "last": ...} in
-- patchdeck.recorded; '' where there is no ledger or no right to read it. The caller puts the bundle's name into
-- patchdeck.bundle.
do $$
declare
    ledger oid := (
        select c.oid
          from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'patchdeck' and c.relname = 'runs'
           and pg_catalog.has_schema_privilege(n.oid, 'USAGE') and pg_catalog.has_table_privilege(c.oid, 'SELECT'));
    recorded text := '';
begin
    if ledger is not null then
        execute $read$
            with committed as (
                select *
                  from patchdeck.runs
                 where bundle = current_setting('patchdeck.bundle') and outcome = 'committed'
            )
            select jsonb_build_object(
                'apply', (select to_jsonb(r) from committed r where action = 'apply' order by finished_at desc limit 1),
                'last', (select to_jsonb(r) from committed r order by finished_at desc limit 1))::text
        $read$ into recorded;
    end if;
    perform pg_catalog.set_config('patchdeck.recorded', recorded, true);
end
$$

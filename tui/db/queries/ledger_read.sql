-- The newest runs of the ledger as a JSON array in patchdeck.ledger, '' where there is no ledger yet or no right to read
-- it; which of these it is is in patchdeck.ledger_state: read, none, unreadable. A DO block, because a plain statement
-- that names a missing table can not be planned; and no to_regclass(), because it raises where the role may not use the
-- schema. A role that row level security applies to would see an empty ledger, so that is no right to read it either.
do $$
declare
    state text := 'none';
    runs text := '';
begin
    select case when pg_catalog.has_schema_privilege(n.oid, 'USAGE')
                and pg_catalog.has_table_privilege(c.oid, 'SELECT')
                and not pg_catalog.row_security_active(c.oid) then 'read' else 'unreadable' end
      into state
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'patchdeck' and c.relname = 'runs';
    if state = 'read' then
        execute $read$
            select coalesce(jsonb_agg(r order by r.finished_at desc), '[]')::text
              from (
                  select run_id, bundle, version, checksum, action, mode, operator, client_host, server_version,
                         started_at, finished_at, seconds, lock_seconds, statements, outcome
                    from patchdeck.runs
                   order by finished_at desc
                   limit 50
              ) r
        $read$ into runs;
    end if;
    perform pg_catalog.set_config('patchdeck.ledger', runs, true),
            pg_catalog.set_config('patchdeck.ledger_state', coalesce(state, 'none'), true);
end
$$

-- Strong locks this transaction holds on relations that existed before it; $1 = JSON array of the relations we said we lock.
-- One row per lock: relation, mode, whether it was on the list (decision 20). patchdeck.relations is set by run_guard.sql.
select n.nspname || '.' || c.relname, l.mode, ($1::jsonb ? (n.nspname || '.' || c.relname))::text
  from pg_catalog.pg_locks l
  join pg_catalog.pg_class c on c.oid = l.relation and c.relkind in ('r', 'p', 'v', 'm')
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where l.pid = pg_catalog.pg_backend_pid()
   and l.locktype = 'relation'
   and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
   and pg_catalog.current_setting('patchdeck.relations')::jsonb @> pg_catalog.to_jsonb(c.oid::bigint)
 order by 1, 2

-- The strongest lock this transaction holds on each relation that existed before it, if it is strong enough to be in
-- somebody's way; $1 = JSON array of the relations we said we lock. One row per relation: name, mode, whether it was on
-- the list (decision 20). patchdeck.relations is set by run_guard.sql.
select distinct on (held.relation) held.relation, held.mode, ($1::jsonb ? held.relation)::text
  from (
      select n.nspname || '.' || c.relname as relation, l.mode
        from pg_catalog.pg_locks l
        join pg_catalog.pg_class c on c.oid = l.relation and c.relkind in ('r', 'p', 'v', 'm')
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       where l.pid = pg_catalog.pg_backend_pid()
         and l.locktype = 'relation'
         and c.oid::bigint in (
             select e::bigint
               from pg_catalog.jsonb_array_elements_text(pg_catalog.current_setting('patchdeck.relations')::jsonb) e)
  ) held
  join (
      values ('ShareLock', 1), ('ShareRowExclusiveLock', 2), ('ExclusiveLock', 3), ('AccessExclusiveLock', 4)
  ) strength (mode, rank) on strength.mode = held.mode
 order by held.relation, strength.rank desc

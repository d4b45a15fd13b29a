-- The locks this transaction holds on tables, views and sequences that are not its own temporary ones: relation, mode.
select c.oid::pg_catalog.regclass::text, l.mode
  from pg_catalog.pg_locks l
  join pg_catalog.pg_class c on c.oid = l.relation and c.relkind in ('r', 'p', 'v', 'm', 'S')
 where l.pid = pg_catalog.pg_backend_pid()
   and l.locktype = 'relation'
   and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
   and c.relnamespace not in ('pg_catalog'::pg_catalog.regnamespace, coalesce(nullif(pg_my_temp_schema(), 0), 1))
   and l.mode <> 'AccessShareLock'
 order by 1, 2

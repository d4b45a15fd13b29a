-- Who holds a lock that conflicts with the one we want, per relation; $1 = JSON object {relation: lock mode wanted}.
-- Through a pooler this names the pooler's backend and its query, not the client behind it (facts: migrations C4).
with wanted as (
    select c.oid, w.key as relation, w.value as mode
      from pg_catalog.jsonb_each_text($1::jsonb) w
      join pg_catalog.pg_class c on c.relname = split_part(w.key, '.', 2)
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = split_part(w.key, '.', 1)
),
-- The server's conflict table for table-level locks (documentation, "Explicit Locking", table 13.2).
conflicts (mode, with_mode) as (
    values
        ('SHARE ROW EXCLUSIVE', 'RowExclusiveLock'), ('SHARE ROW EXCLUSIVE', 'ShareUpdateExclusiveLock'),
        ('SHARE ROW EXCLUSIVE', 'ShareLock'), ('SHARE ROW EXCLUSIVE', 'ShareRowExclusiveLock'),
        ('SHARE ROW EXCLUSIVE', 'ExclusiveLock'), ('SHARE ROW EXCLUSIVE', 'AccessExclusiveLock'),
        ('SHARE', 'RowExclusiveLock'), ('SHARE', 'ShareUpdateExclusiveLock'), ('SHARE', 'ShareRowExclusiveLock'),
        ('SHARE', 'ExclusiveLock'), ('SHARE', 'AccessExclusiveLock'),
        ('EXCLUSIVE', 'RowShareLock'), ('EXCLUSIVE', 'RowExclusiveLock'), ('EXCLUSIVE', 'ShareUpdateExclusiveLock'),
        ('EXCLUSIVE', 'ShareLock'), ('EXCLUSIVE', 'ShareRowExclusiveLock'), ('EXCLUSIVE', 'ExclusiveLock'),
        ('EXCLUSIVE', 'AccessExclusiveLock')
)
select distinct on (l.pid, w.relation)
    l.pid::text,
    coalesce(a.usename, ''),
    coalesce(a.application_name, ''),
    coalesce(a.state, ''),
    coalesce(extract(epoch from clock_timestamp() - a.xact_start), 0)::text,
    coalesce(left(a.query, 500), ''),
    l.mode,
    w.relation
  from wanted w
  join pg_catalog.pg_locks l on l.relation = w.oid and l.granted
   and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
  left join pg_catalog.pg_stat_activity a on a.pid = l.pid
 where l.pid <> pg_catalog.pg_backend_pid()
   and l.pid <> coalesce(nullif($2, '')::integer, 0)
   and (w.mode = 'ACCESS EXCLUSIVE' or exists (select from conflicts c where c.mode = w.mode and c.with_mode = l.mode))
 order by l.pid, w.relation, a.xact_start

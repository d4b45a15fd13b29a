-- Who holds a lock that conflicts with the one we want, per relation, or waits in front of us for a strong one; and
-- whoever those themselves wait for, with the processes each waits for as a JSON array.
-- $1 = JSON object {relation: lock mode wanted}, $2 = a process to leave out.
-- A session that only keeps one of them waiting has no mode and no relation.
-- Through a pooler this names the pooler's backend and its query, not the client behind it (facts: migrations C4).
with recursive wanted as (
    select c.oid, w.key as relation, w.value as mode
      from pg_catalog.jsonb_each_text($1::jsonb) w
      join pg_catalog.pg_class c on c.relname = split_part(w.key, '.', 2)
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = split_part(w.key, '.', 1)
),
-- The server's conflict table for table-level locks (documentation, "Explicit Locking", table 13.2).
conflicts (mode, with_mode) as (
    values
        ('ACCESS SHARE', 'AccessExclusiveLock'),
        ('ROW SHARE', 'ExclusiveLock'), ('ROW SHARE', 'AccessExclusiveLock'),
        ('ROW EXCLUSIVE', 'ShareLock'), ('ROW EXCLUSIVE', 'ShareRowExclusiveLock'),
        ('ROW EXCLUSIVE', 'ExclusiveLock'), ('ROW EXCLUSIVE', 'AccessExclusiveLock'),
        ('SHARE UPDATE EXCLUSIVE', 'ShareUpdateExclusiveLock'), ('SHARE UPDATE EXCLUSIVE', 'ShareLock'),
        ('SHARE UPDATE EXCLUSIVE', 'ShareRowExclusiveLock'), ('SHARE UPDATE EXCLUSIVE', 'ExclusiveLock'),
        ('SHARE UPDATE EXCLUSIVE', 'AccessExclusiveLock'),
        ('SHARE', 'RowExclusiveLock'), ('SHARE', 'ShareUpdateExclusiveLock'), ('SHARE', 'ShareRowExclusiveLock'),
        ('SHARE', 'ExclusiveLock'), ('SHARE', 'AccessExclusiveLock'),
        ('SHARE ROW EXCLUSIVE', 'RowExclusiveLock'), ('SHARE ROW EXCLUSIVE', 'ShareUpdateExclusiveLock'),
        ('SHARE ROW EXCLUSIVE', 'ShareLock'), ('SHARE ROW EXCLUSIVE', 'ShareRowExclusiveLock'),
        ('SHARE ROW EXCLUSIVE', 'ExclusiveLock'), ('SHARE ROW EXCLUSIVE', 'AccessExclusiveLock'),
        ('EXCLUSIVE', 'RowShareLock'), ('EXCLUSIVE', 'RowExclusiveLock'), ('EXCLUSIVE', 'ShareUpdateExclusiveLock'),
        ('EXCLUSIVE', 'ShareLock'), ('EXCLUSIVE', 'ShareRowExclusiveLock'), ('EXCLUSIVE', 'ExclusiveLock'),
        ('EXCLUSIVE', 'AccessExclusiveLock')
),
holders as materialized (
    -- Process 0 is a prepared transaction, as pg_blocking_pids() has it.
    select distinct on (coalesce(l.pid, 0), w.relation) coalesce(l.pid, 0) as pid, l.mode, w.relation
      from wanted w
      -- Nobody overtakes who waits for a strong lock; a waiting reader or writer is a victim, not the cause.
      join pg_catalog.pg_locks l on l.relation = w.oid
       and (l.granted or l.mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))
       and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
     where l.pid is distinct from pg_catalog.pg_backend_pid()
       and l.pid is distinct from nullif($2, '')::integer
       and (w.mode = 'ACCESS EXCLUSIVE'
            or exists (select from conflicts c where c.mode = w.mode and c.with_mode = l.mode))
     order by coalesce(l.pid, 0), w.relation, l.granted desc
),
chain (pid, waits_for) as (
    select h.pid, pg_catalog.pg_blocking_pids(h.pid) from (select distinct pid from holders) h
    union
    select b.pid, pg_catalog.pg_blocking_pids(b.pid)
      from chain c
      cross join lateral unnest(c.waits_for) as b (pid)
     where b.pid <> pg_catalog.pg_backend_pid()
)
select c.pid::text,
       coalesce(a.usename, ''),
       coalesce(a.application_name, ''),
       coalesce(a.state, case when c.pid = 0 then 'prepared transaction' else '' end),
       coalesce(extract(epoch from clock_timestamp() - a.xact_start), 0)::text,
       coalesce(left(a.query, 500), ''),
       coalesce(h.mode, ''),
       coalesce(h.relation, ''),
       pg_catalog.to_json(c.waits_for)::text
  from chain c
  left join holders h on h.pid = c.pid
  left join pg_catalog.pg_stat_activity a on a.pid = c.pid
 order by c.pid, h.relation

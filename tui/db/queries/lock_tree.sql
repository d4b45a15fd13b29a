-- Who holds or waits for a lock on the given tables, whom those wait for and who waits for them, as one JSON document of
-- the shape of core/locks.py's LockPicture; $1 = JSON array of relation names. Only pg_locks is open to every role: what
-- pg_stat_activity hides stays empty. Through a pooler a session is the pooler's (facts: migrations C4). Reads no table.
with recursive here as (
    select d.oid as database, r.rolsuper as superuser, pg_catalog.pg_has_role('pg_signal_backend', 'USAGE') as signals
      from pg_catalog.pg_database d
      join pg_catalog.pg_roles r on r.rolname = current_user
     where d.datname = pg_catalog.current_database()
),
taken as materialized (
    select coalesce(l.pid, 0) as pid, l.locktype, l.relation, l.mode, l.granted, l.classid, l.objid, l.objsubid
      from pg_catalog.pg_locks l
      join here on l.database is null or l.database in (0, here.database)
     where l.pid is distinct from pg_catalog.pg_backend_pid()
),
on_tables as materialized (
    select t.pid, w.relation, t.mode, t.granted
      from pg_catalog.json_array_elements_text($1::json) as w (relation)
      join pg_catalog.pg_class c on c.relname = substr(w.relation, strpos(w.relation, '.') + 1)::name
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = split_part(w.relation, '.', 1)::name
      join taken t on t.locktype = 'relation' and t.relation = c.oid
),
waits as materialized (
    select w.pid as waiter, b.pid as blocker
      from (select distinct t.pid from taken t where not t.granted) w
      cross join lateral unnest(pg_catalog.pg_blocking_pids(w.pid)) as b (pid)
),
concerned (pid) as (
    select o.pid from on_tables o
    union
    select case when w.waiter = c.pid then w.blocker else w.waiter end
      from concerned c
      join waits w on c.pid in (w.waiter, w.blocker)
),
sessions as (
    select c.pid,
           -- The transaction, not the process: a pooled process serves somebody else next.
           concat_ws('/', extract(epoch from a.backend_start)::text, extract(epoch from a.xact_start)::text) as token,
           coalesce(a.usename, '') as "user",
           coalesce(a.application_name, '') as application,
           coalesce(a.state, case when c.pid = 0 then 'prepared transaction' else coalesce(a.backend_type, '') end) as state,
           extract(epoch from clock_timestamp() - a.xact_start)::float8 as age,
           coalesce(left(a.query, 500), '') as query,
           coalesce((
               select json_agg(json_build_object('relation', o.relation, 'mode', o.mode, 'granted', o.granted)
                               order by o.granted, o.relation, o.mode)
                 from on_tables o where o.pid = c.pid), '[]') as locks,
           coalesce((select json_agg(distinct w.blocker) from waits w where w.waiter = c.pid), '[]') as waits_for,
           coalesce(r.rolsuper, a.usesysid is null) as superuser,
           -- What pg_signal_backend() asks for (src/backend/storage/ipc/signalfuncs.c).
           a.pid is not null and (here.superuser or (not coalesce(r.rolsuper, true)
               and (here.signals or pg_catalog.pg_has_role(a.usesysid, 'USAGE')))) as may_end
      from concerned c
      cross join here
      left join pg_catalog.pg_stat_activity a on a.pid = c.pid
      left join pg_catalog.pg_roles r on r.oid = a.usesysid
     -- What is shorter than a second and in nobody's way is gone before anybody reads it.
     where a.xact_start is null or a.xact_start < clock_timestamp() - interval '1 second'
        or exists (select from waits w where c.pid in (w.waiter, w.blocker))
     order by a.xact_start nulls last
     limit 200
)
select json_build_object(
    'sessions', (select coalesce(json_agg(row_to_json(s)), '[]') from sessions s),
    -- The lock of run_guard.sql.
    'runner', (
        select json_build_object('pid', t.pid, 'user', coalesce(a.usename, ''),
                                 'application', coalesce(a.application_name, ''),
                                 'since', coalesce(to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'), ''))
          from (select hashtextextended('patchdeck.run', 0) as key) k
          join taken t on t.locktype = 'advisory' and t.granted and t.objsubid = 1
           and t.classid::bigint = ((k.key >> 32) & 4294967295) and t.objid::bigint = (k.key & 4294967295)
          left join pg_catalog.pg_stat_activity a on a.pid = t.pid
         limit 1)
)::text

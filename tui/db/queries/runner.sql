-- Who holds the advisory lock of a run (run_guard.sql), as one JSON object of the shape of core/facts.py's Runner, or no
-- row: every dashboard shows the run of whoever it is.
select json_build_object('pid', l.pid, 'user', coalesce(pg_catalog.pg_get_userbyid(a.usesysid)::text, ''),
                         'application', coalesce(a.application_name, ''),
                         'since', coalesce(to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'), ''))::text
  from (select pg_catalog.hashtextextended('patchdeck.run', 0) as key) k
  join pg_catalog.pg_locks l on l.locktype = 'advisory' and l.granted and l.objsubid = 1
   and l.classid::bigint = ((k.key >> 32) & 4294967295) and l.objid::bigint = (k.key & 4294967295)
   and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
  -- The function and not the view over it: every tick asks, and the view's joins were half of what that cost.
  left join lateral pg_catalog.pg_stat_get_activity(l.pid) a on true
 where l.pid <> pg_catalog.pg_backend_pid()
 limit 1

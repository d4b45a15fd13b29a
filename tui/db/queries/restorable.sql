-- A question for ledger_ask.sql: what a restore goes back to, as JSON of the shape of core/restore.py's Restorable; nothing
-- where the ledger holds no apply of the bundle named in patchdeck.bundle.
-- `before` is what the first of the newest applies found: those of one version, with no restore between them. An apply
-- that was run again, or after a rollback that only locked, found the patch's own doing. `after` is what the newest run
-- of any kind left.
with committed as materialized (
    select *
      from patchdeck.runs
     where bundle = current_setting('patchdeck.bundle') and outcome = 'committed'
),
newest as (
    select * from committed order by finished_at desc limit 1
),
applied as (
    select * from committed where action = 'apply' order by finished_at desc limit 1
),
boundary as (
    select max(c.finished_at) as passed
      from applied a
      join committed c on c.finished_at < a.finished_at
     where c.action = 'rollback' and c.mode <> 'lock' or c.version <> a.version
),
base as (
    select c.*
      from committed c, boundary b
     where c.action = 'apply' and (b.passed is null or c.finished_at > b.passed)
     order by c.finished_at
     limit 1
),
named as (
    select distinct name #>> '{}' as name
      from base b
      cross join lateral (
          select jsonb_path_query(b.surface_before, '$.**.grantee')
          union all select jsonb_path_query(b.surface_before, '$.**.owner')
          union all select jsonb_path_query(b.surface_before, '$.**.roles[*]')
          union all select jsonb_path_query(b.surface_before, '$.**.usage[*]')
      ) as s (name)
)
select jsonb_build_object(
    'run_id', b.run_id, 'applied_at', b.finished_at, 'before', b.surface_before, 'after', n.surface_after,
    'roles', (
        -- Since PostgreSQL 16 membership alone does not allow to give objects away: SET does.
        select coalesce(jsonb_agg(jsonb_build_object('name', r.rolname, 'usable', pg_has_role(r.oid,
                   case when current_setting('server_version_num')::int < 160000 then 'MEMBER' else 'SET' end
               ), 'creates', (
                   select coalesce(jsonb_agg(n.nspname order by n.nspname), '[]')
                     from pg_catalog.pg_namespace n
                    where n.nspname !~ '^pg_' and has_schema_privilege(r.oid, n.oid, 'CREATE')
               )) order by r.rolname), '[]')
          from pg_catalog.pg_roles r
         where r.rolname in (select name from named)),
    'given', (
        select coalesce(jsonb_agg(distinct pg_get_userbyid(g.grantee)), '[]')
          from pg_catalog.pg_default_acl d
          cross join lateral aclexplode(d.defaclacl) g
          join pg_catalog.pg_roles r on r.oid = d.defaclrole and r.rolname = current_user
         where g.grantee not in (0, d.defaclrole)))::text
  from base b, newest n

-- What the preflight rules need and the catalog read does not bring, as one JSON document of the shape of
-- core/preflight.py's Facts. $1 = JSON {locks: {relation: mode wanted}, and lists of names: references (targets of foreign
-- keys), functions and roles (prerequisites), views and creates (views and functions to be made), schemas, publications}. Everything is read from catalogs and statistics: nothing waits for anybody's lock.
with asked as materialized (
    select $1::json as what
),
wanted as materialized (
    select c.oid, l.relation, l.mode
      from asked
      cross join lateral json_each_text(what -> 'locks') as l (relation, mode)
      join pg_catalog.pg_class c on c.relname = substr(l.relation, strpos(l.relation, '.') + 1)::name
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = split_part(l.relation, '.', 1)::name
     where c.relkind in ('r', 'p')
),
run_key as (
    select hashtextextended('patchdeck.run', 0) as key
)
select json_build_object(
    'in_recovery', pg_is_in_recovery(),
    'read_only_default', current_setting('default_transaction_read_only') = 'on',
    'create_in_database', has_database_privilege(current_database(), 'CREATE'),
    -- Not to_regclass(): it raises where the role may not use the schema.
    'ledger', exists (
        select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'patchdeck' and c.relname = 'runs'),
    'roles', (
        select coalesce(json_agg(r.rolname order by r.rolname), '[]') from pg_catalog.pg_roles r
         where r.rolname in (select json_array_elements_text(what -> 'roles') from asked)),
    'functions', (
        select coalesce(json_agg(f.called), '[]')
          from asked
          cross join lateral json_array_elements_text(what -> 'functions') as f (called)
         where exists (
             select from pg_catalog.pg_proc p
               join pg_catalog.pg_namespace n on n.oid = p.pronamespace
              where n.nspname = split_part(f.called, '.', 1)::name
                and p.proname = split_part(substr(f.called, strpos(f.called, '.') + 1), '(', 1)::name
                and rtrim(substr(f.called, strpos(f.called, '(') + 1), ')')
                    in (oidvectortypes(p.proargtypes), pg_get_function_identity_arguments(p.oid)))),
    'schemas', (
        select coalesce(json_agg(json_build_object(
                   'name', n.nspname,
                   'create', has_schema_privilege(n.oid, 'CREATE'),
                   'usage', has_schema_privilege(n.oid, 'USAGE')) order by n.nspname), '[]')
          from pg_catalog.pg_namespace n
         where n.nspname in (select json_array_elements_text(what -> 'schemas') from asked)),
    'relations', (
        select coalesce(json_agg(json_build_object(
                   'name', w.relation,
                   'rows', greatest(c.reltuples, pg_stat_get_live_tuples(c.oid)),
                   -- Not pg_table_size(): it waits for whoever holds the table exclusively.
                   'bytes', c.relpages::float8 * current_setting('block_size')::integer,
                   -- What LOCK TABLE asks for in any mode stronger than ROW EXCLUSIVE.
                   'lockable', has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')) order by w.relation), '[]')
          from wanted w
          join pg_catalog.pg_class c on c.oid = w.oid),
    'no_references', (
        select coalesce(json_agg(r.called order by r.called), '[]')
          from asked
          cross join lateral json_array_elements_text(what -> 'references') as r (called)
          join pg_catalog.pg_class c on c.relname = substr(r.called, strpos(r.called, '.') + 1)::name
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = split_part(r.called, '.', 1)::name
         where not has_table_privilege(c.oid, 'REFERENCES')),
    'not_owned', (
        select coalesce(json_agg(o.called order by o.called), '[]')
          from (
              select v.called, c.relowner as owner
                from asked
                cross join lateral json_array_elements_text(what -> 'views') as v (called)
                join pg_catalog.pg_class c on c.relname = substr(v.called, strpos(v.called, '.') + 1)::name
                join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = split_part(v.called, '.', 1)::name
              union all
              select f.called, p.proowner
                from asked
                cross join lateral json_array_elements_text(what -> 'creates') as f (called)
                join pg_catalog.pg_proc p on p.proname = split_part(substr(f.called, strpos(f.called, '.') + 1), '(', 1)::name
                join pg_catalog.pg_namespace n on n.oid = p.pronamespace and n.nspname = split_part(f.called, '.', 1)::name
               where rtrim(substr(f.called, strpos(f.called, '(') + 1), ')')
                     in (oidvectortypes(p.proargtypes), pg_get_function_identity_arguments(p.oid))
          ) o
         where not pg_has_role(o.owner, 'USAGE')),
    'no_publication', (
        select coalesce(json_agg(p.pubname order by p.pubname), '[]')
          from pg_catalog.pg_publication p
         where p.pubname in (select json_array_elements_text(what -> 'publications') from asked)
           and not pg_has_role(p.pubowner, 'USAGE')),
    'row_filters', (
        select coalesce(json_agg(json_build_object(
                   'publication', p.pubname, 'table', w.relation, 'where', pg_get_expr(e.prqual, e.prrelid))
                   order by p.pubname, w.relation), '[]')
          from wanted w
          join pg_catalog.pg_publication_rel e on e.prrelid = w.oid and e.prqual is not null
          join pg_catalog.pg_publication p on p.oid = e.prpubid),
    -- A session that holds what we want, and what it has been doing. Reading and plain writing stand in the way of
    -- ACCESS EXCLUSIVE, of the weaker modes only writing (documentation, table 13.2).
    'sessions', (
        select coalesce(json_agg(json_build_object(
                   'pid', s.pid, 'user', s.usename, 'application', s.application_name, 'state', s.state,
                   'age', s.age, 'query', s.query, 'relation', s.relation, 'mode', s.mode) order by s.age desc), '[]')
          from (
              select distinct on (l.pid, w.relation)
                     coalesce(l.pid, 0) as pid,
                     coalesce(a.usename, '') as usename,
                     coalesce(a.application_name, '') as application_name,
                     coalesce(a.state, case when l.pid is null then 'prepared transaction' else '' end) as state,
                     coalesce(extract(epoch from clock_timestamp() - a.xact_start), 0)::float8 as age,
                     coalesce(left(a.query, 200), '') as query,
                     w.relation, l.mode
                from wanted w
                join pg_catalog.pg_locks l on l.relation = w.oid and l.granted
                left join pg_catalog.pg_stat_activity a on a.pid = l.pid
               where l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
                 and l.pid is distinct from pg_backend_pid()
                 and (w.mode = 'ACCESS EXCLUSIVE'
                      or l.mode not in ('AccessShareLock', 'RowShareLock')
                      or (w.mode = 'EXCLUSIVE' and l.mode = 'RowShareLock'))
               order by l.pid, w.relation, a.xact_start
          ) s),
    -- The same lock as in run_guard.sql.
    'runner', (
        select json_build_object('pid', l.pid, 'user', coalesce(a.usename, ''),
                                 'application', coalesce(a.application_name, ''),
                                 'since', coalesce(to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'), ''))
          from run_key k
          join pg_catalog.pg_locks l on l.locktype = 'advisory' and l.granted and l.objsubid = 1
           and l.classid::bigint = ((k.key >> 32) & 4294967295) and l.objid::bigint = (k.key & 4294967295)
           and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
          left join pg_catalog.pg_stat_activity a on a.pid = l.pid
         where l.pid <> pg_backend_pid()
         limit 1)
)::text

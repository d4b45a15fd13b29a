-- The names of everything in the database that catalog.sql can be asked for, as its first parameter wants them, but for
-- roles: one JSON document {tables, views, functions, publications, schemas}. Not what belongs to the server or to an
-- extension. The caller sets search_path = '' first: only then are the types of arguments named as in the catalog.
with mine as (
  select n.oid, n.nspname
    from pg_catalog.pg_namespace n
   where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
), members as (
  select d.classid, d.objid from pg_catalog.pg_depend d where d.deptype = 'e'
), relations as (
  select n.nspname || '.' || c.relname as name, c.relkind
    from pg_catalog.pg_class c
    join mine n on n.oid = c.relnamespace
   where ('pg_catalog.pg_class'::regclass::oid, c.oid) not in (select classid, objid from members)
), routines as (
  select format('%s.%s(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) as name
    from pg_catalog.pg_proc p
    join mine n on n.oid = p.pronamespace
   where p.prokind in ('f', 'p')
     and ('pg_catalog.pg_proc'::regclass::oid, p.oid) not in (select classid, objid from members)
)
select json_build_object(
  'tables', coalesce((select json_agg(name order by name) from relations where relkind in ('r', 'p')), '[]'),
  'views', coalesce((select json_agg(name order by name) from relations where relkind in ('v', 'm')), '[]'),
  'functions', coalesce((select json_agg(name order by name) from routines), '[]'),
  'publications', coalesce((select json_agg(pubname order by pubname) from pg_catalog.pg_publication), '[]'),
  'schemas', coalesce((select json_agg(nspname order by nspname) from mine), '[]')
)::text

-- What a database is, for tests: the digest of every definition outside the system schemas, the tables whose rows belong
-- to it, and whether there is a ledger. It shares nothing with the product's own queries.
with schemas as (
    select oid, nspname, nspacl, nspowner from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
),
relations as (
    select c.* from pg_class c where c.relnamespace in (select oid from schemas) and c.relkind in ('r', 'v', 'p', 'm', 'S')
),
lines as (
    select format('schema %s %s %s', nspname, nspacl, nspowner::regrole) as line from schemas
    union all
    select format('relation %s %s %s %s %s %s %s', oid::regclass, relkind, relacl, relrowsecurity, relforcerowsecurity,
                  reloptions, relowner::regrole) from relations
    union all
    select format('column %s.%s %s %s %s %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod),
                  a.attnotnull, a.attacl, pg_get_expr(d.adbin, d.adrelid))
      from pg_attribute a
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid in (select oid from relations) and a.attnum > 0 and not a.attisdropped
    union all
    select format('policy %s', p) from pg_policies p
    union all
    select format('trigger %s %s', pg_get_triggerdef(oid), tgenabled)
      from pg_trigger where tgrelid in (select oid from relations) and not tgisinternal
    union all
    select format('index %s', pg_get_indexdef(indexrelid)) from pg_index where indrelid in (select oid from relations)
    union all
    select format('constraint %s %s %s', conrelid::regclass, pg_get_constraintdef(oid), convalidated)
      from pg_constraint where conrelid in (select oid from relations)
    union all
    select format('function %s %s', pg_get_functiondef(oid), proacl)
      from pg_proc where pronamespace in (select oid from schemas) and prokind in ('f', 'p')
    union all
    select format('view %s %s', oid::regclass, pg_get_viewdef(oid)) from relations where relkind in ('v', 'm')
    union all
    select format('comment %s %s', pg_describe_object(classoid, objoid, objsubid), description)
      from pg_description where classoid <> 'pg_catalog.pg_extension'::regclass and objoid >= 16384
    union all
    select format('publication %s', p) from pg_publication_tables p
)
select
    (select md5(string_agg(line, E'\n' order by line)) from lines where line !~ 'patchdeck'),
    (select array_agg(oid::regclass::text order by oid::regclass::text)
       from relations where relkind = 'r' and relnamespace <> coalesce(to_regnamespace('patchdeck'), 0)),
    to_regclass('patchdeck.runs') is not null

-- What stands in the catalog of everything a bundle names, as one JSON document of the shape of core/catalog.py.
-- $1 = JSON {tables, views, functions, publications, schemas, roles: [names], twin: bool}. A name that is not there is
-- left out of the answer. With twin, relations are looked up in the session's own temporary schema and called by the name
-- they stand for, so that their definitions compare literally with the live ones (decision 27).
-- The caller sets search_path = '' first: only then does the deparser qualify every name.
with asked as materialized (
    select $1::json as what, ($1::json ->> 'twin')::boolean as twin
),
relation_names as materialized (
    select distinct split_part(called, '.', 1) as schema, substr(called, strpos(called, '.') + 1) as name, called
      from asked, lateral (
          select json_array_elements_text(what -> 'tables')
          union all
          select json_array_elements_text(what -> 'views')
      ) as names (called)
),
relations as materialized (
    select c.oid, c.relkind, c.relname, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity,
           c.reloptions, r.schema, r.called, a.twin
      from asked a
      cross join relation_names r
      join pg_catalog.pg_class c on c.relname = r.name::name
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm')
       and case when a.twin then n.oid = pg_my_temp_schema() else n.nspname = r.schema::name end
),
relation_grants as materialized (
    select r.oid,
           json_agg(json_build_object(
               'grantee', case g.grantee when 0 then 'public' else pg_get_userbyid(g.grantee) end,
               'privilege', g.privilege_type, 'grantable', nullif(g.is_grantable, false), 'column', g.attname,
               'grantor', g.grantor)
               order by case g.grantee when 0 then 'public' else pg_get_userbyid(g.grantee) end,
                        g.attname nulls first, g.privilege_type) as grants
      from relations r
      cross join lateral (
          -- The same privilege given by two grantors is one right; one that is not the owner is told.
          select e.grantee, e.privilege_type, bool_or(e.is_grantable) as is_grantable, null::name as attname,
                 min(pg_get_userbyid(e.grantor)::text) filter (where e.grantor <> r.relowner) as grantor
            from aclexplode(coalesce(r.relacl, acldefault('r', r.relowner))) e
           group by e.grantee, e.privilege_type
          union all
          select e.grantee, e.privilege_type, bool_or(e.is_grantable), a.attname,
                 min(pg_get_userbyid(e.grantor)::text) filter (where e.grantor <> r.relowner)
            from pg_catalog.pg_attribute a
            cross join lateral aclexplode(a.attacl) e
           where a.attrelid = r.oid and a.attacl is not null and not a.attisdropped
           group by e.grantee, e.privilege_type, a.attname
      ) g
     where g.grantee <> r.relowner and not r.twin
     group by r.oid
),
relation_triggers as materialized (
    select r.oid,
           json_agg(json_build_object(
               'name', t.tgname,
               'definition', coalesce(substr(
                   pg_get_triggerdef(t.oid),
                   length('CREATE TRIGGER ' || quote_ident(t.tgname))
                   + case when t.tgconstraint = 0 then 2 else length('CONSTRAINT ') + 2 end), ''),
               'constraint', nullif(t.tgconstraint <> 0, false),
               'enabled', case t.tgenabled when 'O' then 'origin' when 'D' then 'disabled'
                                           when 'R' then 'replica' else 'always' end,
               'comment', (select d.description from pg_catalog.pg_description d
                         where d.objoid = t.oid and d.classoid = 'pg_catalog.pg_trigger'::regclass and d.objsubid = 0))
               order by t.tgname) as triggers
      from relations r
      join pg_catalog.pg_trigger t on t.tgrelid = r.oid and not t.tgisinternal
     group by r.oid
),
table_parts as (
    select r.oid, r.called, r.twin, r.schema, json_build_object(
        'name', r.called,
        'owner', pg_get_userbyid(r.relowner),
        'usable', pg_has_role(r.relowner, 'USAGE'),
        'rls', r.relrowsecurity,
        'force_rls', r.relforcerowsecurity,
        'acl_default', r.relacl is null,
        'comment', (select d.description from pg_catalog.pg_description d
                         where d.objoid = r.oid and d.classoid = 'pg_catalog.pg_class'::regclass and d.objsubid = 0),
        'columns', coalesce((
            select json_agg(json_build_object(
                       'name', a.attname,
                       'type', format_type(a.atttypid, a.atttypmod),
                       'not_null', a.attnotnull,
                       'default', pg_get_expr(d.adbin, d.adrelid),
                       'identity', nullif(a.attidentity, ''),
                       'generated', nullif(a.attgenerated, ''),
                       'comment', (select d.description from pg_catalog.pg_description d
                         where d.objoid = r.oid and d.classoid = 'pg_catalog.pg_class'::regclass and d.objsubid = a.attnum))
                       order by a.attnum)
              from pg_catalog.pg_attribute a
              left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
             where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped), '[]'),
        -- 'n', not null, is a constraint since PostgreSQL 18; here it is a property of the column on every version.
        'constraints', coalesce((
            select json_agg(json_build_object(
                       'name', k.conname,
                       'kind', case k.contype when 'p' then 'primary key' when 'u' then 'unique' when 'c' then 'check'
                                              when 'f' then 'foreign key' when 'x' then 'exclusion'
                                              when 't' then 'trigger' else 'other' end,
                       'definition', coalesce(pg_get_constraintdef(k.oid), ''),
                       'validated', nullif(k.convalidated, true))
                       order by k.conname)
              from pg_catalog.pg_constraint k
             where k.conrelid = r.oid and k.contype <> 'n'), '[]'),
        'indexes', coalesce((
            select json_agg(json_build_object(
                       'name', i.relname,
                       'definition', coalesce(substr(s.text, strpos(s.text, ' USING ') + 7), ''),
                       'valid', nullif(x.indisvalid and x.indisready and x.indislive, true))
                       order by i.relname)
              from pg_catalog.pg_index x
              join pg_catalog.pg_class i on i.oid = x.indexrelid
              cross join lateral pg_get_indexdef(i.oid) as s (text)
             where x.indrelid = r.oid and not x.indisprimary and not x.indisunique
               and not exists (select from pg_catalog.pg_constraint k
                                where k.conrelid = r.oid and k.conindid = i.oid and k.contype in ('p', 'u', 'x'))), '[]'),
        'policies', coalesce((
            select json_agg(json_build_object(
                       'name', p.polname,
                       'command', case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
                                                when 'd' then 'delete' else 'all' end,
                       'permissive', p.polpermissive,
                       'roles', (select json_agg(m.role order by m.role)
                                   from (select case o when 0 then 'public' else pg_get_userbyid(o) end
                                           from unnest(p.polroles) o) as m (role)),
                       'using', pg_get_expr(p.polqual, p.polrelid),
                       'check', pg_get_expr(p.polwithcheck, p.polrelid),
                       'comment', (select d.description from pg_catalog.pg_description d
                         where d.objoid = p.oid and d.classoid = 'pg_catalog.pg_policy'::regclass and d.objsubid = 0))
                       order by p.polname)
              from pg_catalog.pg_policy p
             where p.polrelid = r.oid), '[]'),
        'triggers', coalesce(t.triggers, '[]'),
        'rules', coalesce((select json_agg(json_build_object('name', w.rulename, 'definition', pg_get_ruledef(w.oid))
                                           order by w.rulename)
                             from pg_catalog.pg_rewrite w where w.ev_class = r.oid), '[]'),
        'grants', coalesce(g.grants, '[]')
    ) as body
      from relations r
      left join relation_grants g on g.oid = r.oid
      left join relation_triggers t on t.oid = r.oid
     where r.relkind in ('r', 'p')
),
view_parts as (
    select r.called, r.twin, r.schema, json_build_object(
        'name', r.called,
        'owner', pg_get_userbyid(r.relowner),
        'columns', coalesce((select json_agg(a.attname order by a.attnum) from pg_catalog.pg_attribute a
                              where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped), '[]'),
        'definition', coalesce(pg_get_viewdef(r.oid), ''),
        'options', coalesce(to_json(r.reloptions), '[]'),
        'grants', coalesce(g.grants, '[]'),
        'comment', (select d.description from pg_catalog.pg_description d
                         where d.objoid = r.oid and d.classoid = 'pg_catalog.pg_class'::regclass and d.objsubid = 0),
        'usable', pg_has_role(r.relowner, 'USAGE'),
        'materialized', nullif(r.relkind = 'm', false),
        'acl_default', nullif(r.relacl is null, false),
        'triggers', t.triggers,
        'rules', (select json_agg(pg_get_ruledef(w.oid) order by w.rulename) from pg_catalog.pg_rewrite w
                   where w.ev_class = r.oid and w.rulename <> '_RETURN'),
        'column_comments', (select json_object_agg(a.attname, d.text order by a.attnum)
                              from pg_catalog.pg_attribute a
                              cross join lateral col_description(r.oid, a.attnum) as d (text)
                             where a.attrelid = r.oid and a.attnum > 0 and d.text is not null),
        'column_defaults', (select json_object_agg(a.attname, pg_get_expr(d.adbin, d.adrelid) order by a.attnum)
                              from pg_catalog.pg_attrdef d
                              join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
                             where d.adrelid = r.oid)
    ) as body
      from relations r
      left join relation_grants g on g.oid = r.oid
      left join relation_triggers t on t.oid = r.oid
     where r.relkind in ('v', 'm')
),
-- A trigger of a twin says `ON pg_temp.name`.
relation_bodies as (
    select 'table' as kind, called, body, twin, schema from table_parts
    union all
    select 'view', called, body, twin, schema from view_parts
),
bodies as (
    select kind, called,
           case when not twin then body
                else regexp_replace(body::text, '\mpg_temp(_[0-9]+)?\.',
                                    replace(trim('"' from to_json(quote_ident(schema) || '.')::text), '\', '\\'),
                                    'g')::json end as body
      from relation_bodies
),
function_bodies as (
    select f.called, json_build_object(
        'name', f.called,
        'owner', pg_get_userbyid(p.proowner),
        'returns', coalesce(pg_get_function_result(p.oid), ''),
        'language', l.lanname,
        'volatility', case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
        'security_definer', p.prosecdef,
        'body', coalesce(pg_get_function_sqlbody(p.oid), p.prosrc),
        'config', coalesce(to_json(p.proconfig), '[]'),
        'execute', coalesce((
            select json_agg(h.role order by h.role)
              from (select distinct case e.grantee when 0 then 'public' else pg_get_userbyid(e.grantee) end
                      from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) e
                     where e.privilege_type = 'EXECUTE') as h (role)
             where h.role in (select json_array_elements_text(a.what -> 'roles'))), '[]'),
        'comment', (select d.description from pg_catalog.pg_description d
                         where d.objoid = p.oid and d.classoid = 'pg_catalog.pg_proc'::regclass and d.objsubid = 0),
        'usable', pg_has_role(p.proowner, 'USAGE'),
        'definition', pg_get_functiondef(p.oid),
        'acl_default', nullif(p.proacl is null, false),
        'grants', (
            select json_agg(json_build_object('grantee', g.role, 'privilege', g.privilege_type,
                                              'grantable', nullif(g.grantable, false), 'grantor', g.grantor)
                            order by g.role)
              from (select case e.grantee when 0 then 'public' else pg_get_userbyid(e.grantee) end as role,
                           e.privilege_type, bool_or(e.is_grantable) as grantable,
                           min(pg_get_userbyid(e.grantor)::text) filter (where e.grantor <> p.proowner) as grantor
                      from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) e
                     where e.grantee <> p.proowner
                     group by e.grantee, e.privilege_type) g)
    ) as body
      from asked a
      cross join lateral json_array_elements_text(a.what -> 'functions') as f (called)
      cross join lateral (
          select split_part(f.called, '.', 1) as schema,
                 split_part(substr(f.called, strpos(f.called, '.') + 1), '(', 1) as name,
                 rtrim(substr(f.called, strpos(f.called, '(') + 1), ')') as arguments
      ) w
      join pg_catalog.pg_proc p on p.proname = w.name::name
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace and n.nspname = w.schema::name
      join pg_catalog.pg_language l on l.oid = p.prolang
     where not a.twin and p.prokind in ('f', 'p')
       -- With or without the arguments' names: both are called identity arguments in the documentation.
       and w.arguments in (oidvectortypes(p.proargtypes), pg_get_function_identity_arguments(p.oid))
),
publication_bodies as (
    select b.pubname, json_build_object(
        'name', b.pubname,
        'all_tables', b.puballtables,
        'owner', pg_get_userbyid(b.pubowner),
        'usable', pg_has_role(b.pubowner, 'USAGE'),
        'tables', coalesce((
            select json_agg(json_build_object('table', m.table, 'columns', m.columns, 'where', m.filter,
                                              'whole_schema', nullif(m.whole_schema, false))
                            order by m.table collate "C")
              from (
                  select n.nspname || '.' || c.relname as table,
                         coalesce((select json_agg(x.attname order by x.attnum) from pg_catalog.pg_attribute x
                                    where x.attrelid = c.oid and x.attnum = any (e.prattrs)), '[]') as columns,
                         pg_get_expr(e.prqual, e.prrelid) as filter, false as whole_schema
                    from pg_catalog.pg_publication_rel e
                    join pg_catalog.pg_class c on c.oid = e.prrelid
                    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                   where e.prpubid = b.oid
                  union all
                  -- FOR TABLES IN SCHEMA: of such a schema only what was asked for is listed.
                  select r.called, '[]'::json, null, true
                    from pg_catalog.pg_publication_namespace s
                    join pg_catalog.pg_namespace n on n.oid = s.pnnspid
                    join relations r on r.schema = n.nspname and r.relkind in ('r', 'p')
                   where s.pnpubid = b.oid
                     and not exists (select from pg_catalog.pg_publication_rel e
                                      where e.prpubid = b.oid and e.prrelid = r.oid)
              ) m), '[]')
    ) as body
      from asked a
      join pg_catalog.pg_publication b on b.pubname in (select json_array_elements_text(a.what -> 'publications'))
     where not a.twin
),
schema_bodies as (
    select n.nspname, json_build_object(
        'name', n.nspname,
        'owner', pg_get_userbyid(n.nspowner),
        'usable', pg_has_role(n.nspowner, 'USAGE'),
        'usage', coalesce((
            select json_agg(h.role order by h.role)
              from (select distinct case e.grantee when 0 then 'public' else pg_get_userbyid(e.grantee) end
                      from aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) e
                     where e.privilege_type = 'USAGE') as h (role)
             where h.role in (select json_array_elements_text(a.what -> 'roles'))), '[]')
    ) as body
      from asked a
      join pg_catalog.pg_namespace n on n.nspname in (select json_array_elements_text(a.what -> 'schemas'))
     where not a.twin
)
-- What is null here is left out: the shape's defaults say the same in fewer bytes.
select json_strip_nulls(json_build_object(
    'tables', (select coalesce(json_agg(body order by called collate "C"), '[]') from bodies where kind = 'table'),
    'views', (select coalesce(json_agg(body order by called collate "C"), '[]') from bodies where kind = 'view'),
    'functions', (select coalesce(json_agg(body order by called collate "C"), '[]') from function_bodies),
    'publications', (select coalesce(json_agg(body order by pubname), '[]') from publication_bodies),
    'schemas', (select coalesce(json_agg(body order by nspname), '[]') from schema_bodies)
))::text

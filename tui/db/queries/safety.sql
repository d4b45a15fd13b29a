-- The lint of the live database: facts of the catalog that break a rule of core/safety_rules.py, and the tables' policies
-- for the rules that read expressions. Rows: code, kind of object, table, name, detail; all text.
-- Beside the rules' codes there are two: `scope`, what was examined, and `table`, one table with its policies; their
-- detail is JSON (core/safety.py: Scope, core/policy_rules.py: TableFacts).
--
-- $1 is a JSON document (core/safety.py: LintRequest): schemas, exposed_by, platform, roles, anonymous, tenant_column,
-- secrets, sensitive, unused_indexes.
-- The caller sets search_path to '', so that deparsed names are qualified. Only the catalog is read: any role may, in a
-- read-only transaction, on PostgreSQL 15 to 18; the deparser takes ACCESS SHARE on the tables that a policy names. CTEs
-- are materialized: that keeps planning cheap, which is most of what a statement of this length costs.
with request as materialized (
    select
        r.doc,
        r.doc ->> 'tenant_column' as tenant_column,
        r.doc ->> 'anonymous' as anonymous,
        r.doc ->> 'secrets' as secrets,
        r.doc ->> 'sensitive' as sensitive
    from (select $1::jsonb as doc) as r
),
-- Schemas that the API shows: the request's and those that the API's own login is configured with.
exposed as materialized (
    select jsonb_array_elements_text(q.doc -> 'schemas') as name
    from request as q
    union
    select btrim(part, ' "')
    from request as q
    join pg_roles as r on r.rolname = q.doc ->> 'exposed_by'
    join pg_db_role_setting as s
        on s.setrole in (0, r.oid)
        and s.setdatabase in (0, (select d.oid from pg_database as d where d.datname = current_database()))
    cross join unnest(s.setconfig) as setting
    cross join string_to_table(split_part(setting, '=', 2), ',') as part
    where setting like 'pgrst.db_schemas=%'
),
api as materialized (
    select r.oid, r.rolname::text as name, r.rolname = q.anonymous as anonymous,
        r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolreplication
    from request as q
    join pg_roles as r on q.doc -> 'roles' ? r.rolname
),
ns as materialized (
    select n.oid, n.nspname::text as name, n.nspowner as owner, n.nspname in (select e.name from exposed as e) as exposed
    from request as q
    join pg_namespace as n
        on n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and not q.doc -> 'platform' ? n.nspname
),
-- What extensions own is theirs to answer for.
extended as materialized (
    select d.classid, d.objid
    from pg_depend as d
    where d.deptype = 'e' and d.classid in ('pg_class'::regclass, 'pg_proc'::regclass)
),
rel as materialized (
    select
        c.oid, n.oid as ns, n.name || '.' || c.relname as name, c.relname::text as bare, c.relkind as kind,
        c.relowner as owner, c.relrowsecurity as rls, c.relacl as acl, c.relreplident as identity, n.exposed,
        case when c.relkind = 'v' then coalesce((
            select o.option_value::boolean
            from pg_options_to_table(c.reloptions) as o
            where o.option_name = 'security_invoker'
        ), false) end as invoker,
        (
            select a.attnum
            from pg_attribute as a
            where a.attrelid = c.oid and a.attname = q.tenant_column and not a.attisdropped and c.relkind in ('r', 'p')
        ) as tenant
    from request as q
    cross join pg_class as c
    join ns as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
        and not exists (select from extended as e where e.classid = 'pg_class'::regclass and e.objid = c.oid)
),
col as materialized (
    select a.attrelid as rel, a.attnum, a.attname::text as name, a.attnotnull as not_null, a.atttypid as type
    from pg_attribute as a
    where a.attrelid = any (array(select r.oid from rel as r)) and a.attnum > 0 and not a.attisdropped
),
-- What the API roles may do, once they may enter the schema at all; grants by column count as grants.
reach as materialized (
    select r.oid as rel, a.oid as role, a.name as role_name, a.anonymous, p.privilege
    from rel as r
    join api as a on has_schema_privilege(a.oid, r.ns, 'USAGE')
    cross join lateral (
        select 1 as place, 'SELECT' as privilege where has_any_column_privilege(a.oid, r.oid, 'SELECT')
        union all
        select 2, 'INSERT' where has_any_column_privilege(a.oid, r.oid, 'INSERT')
        union all
        select 3, 'UPDATE' where has_any_column_privilege(a.oid, r.oid, 'UPDATE')
        union all
        select 4, 'DELETE' where has_table_privilege(a.oid, r.oid, 'DELETE')
        union all
        select 5, 'TRUNCATE' where has_table_privilege(a.oid, r.oid, 'TRUNCATE')
        union all
        select 6, 'REFERENCES' where has_any_column_privilege(a.oid, r.oid, 'REFERENCES')
        union all
        select 7, 'TRIGGER' where has_table_privilege(a.oid, r.oid, 'TRIGGER')
        union all
        -- Not known before PostgreSQL 17, where has_table_privilege would refuse the word.
        select 8, 'MAINTAIN'
        where exists (
            select
            from aclexplode(r.acl) as x
            where x.privilege_type = 'MAINTAIN' and (x.grantee = 0 or pg_has_role(a.oid, x.grantee, 'USAGE'))
        )
    ) as p
),
-- Per relation one readable line of what is reachable, by kind of privilege.
reached as materialized (
    select
        s.rel,
        string_agg(s.line, '; ' order by s.role_name) filter (where s.kind = 'data') as data,
        string_agg(s.line, '; ' order by s.role_name) filter (where s.kind = 'reading') as reading,
        string_agg(s.line, '; ' order by s.role_name) filter (where s.kind = 'truncate') as truncate,
        string_agg(s.line, '; ' order by s.role_name) filter (where s.kind = 'other') as other
    from (
        select h.rel, k.kind, h.role_name, h.role_name || ' may ' || string_agg(h.privilege, ', ') as line
        from reach as h
        join (
            values ('data', 'SELECT'), ('data', 'INSERT'), ('data', 'UPDATE'), ('data', 'DELETE'), ('reading', 'SELECT'),
                ('truncate', 'TRUNCATE'), ('other', 'REFERENCES'), ('other', 'TRIGGER'), ('other', 'MAINTAIN')
        ) as k (kind, privilege) on k.privilege = h.privilege
        group by h.rel, k.kind, h.role_name
    ) as s
    group by s.rel
),
-- `bound`: the roles a policy holds for; roles that bypass row-level security never ask it.
policy as materialized (
    select
        p.polrelid as rel, p.polname::text as name, p.polpermissive as permissive,
        case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE' when 'd' then 'DELETE' else 'ALL' end
            as command,
        (
            select jsonb_agg(coalesce(g.rolname, 'public') order by g.rolname)
            from unnest(p.polroles) as x
            left join pg_roles as g on g.oid = x
        ) as roles,
        (
            select coalesce(jsonb_agg(g.rolname order by g.rolname), '[]')
            from pg_roles as g
            where not g.rolbypassrls and not g.rolsuper
                and (g.oid = any (p.polroles) or (0 = any (p.polroles) and g.oid in (select a.oid from api as a)))
        ) as bound,
        pg_get_expr(p.polqual, p.polrelid) as condition,
        pg_get_expr(p.polwithcheck, p.polrelid) as write_check
    from pg_policy as p
    where p.polrelid = any (array(select r.oid from rel as r))
),
idx as materialized (
    select
        i.indexrelid as oid, r.oid as rel, r.name as table_name, c.relname::text as name, c.relam as method,
        i.indisunique as is_unique, i.indisprimary as is_primary, i.indnkeyatts as keys, i.indnatts as columns,
        i.indisvalid and i.indisready and i.indislive as valid, r.tenant,
        string_to_array(i.indkey::text, ' ')::int2[] as key, string_to_array(i.indclass::text, ' ') as class,
        string_to_array(i.indcollation::text, ' ') as collation, string_to_array(i.indoption::text, ' ') as options,
        coalesce(pg_get_expr(i.indexprs, i.indrelid), '') as expressions,
        coalesce(pg_get_expr(i.indpred, i.indrelid), '') as predicate
    from pg_index as i
    join rel as r on r.oid = i.indrelid
    join pg_class as c on c.oid = i.indexrelid
),
con as materialized (
    select r.oid as rel, r.name as table_name, c.oid, c.conname::text as name, c.contype as kind, c.convalidated as validated,
        c.conkey as key, c.confrelid as parent, c.conindid as parent_index
    from pg_constraint as c
    join rel as r on r.oid = c.conrelid
    where c.contype in ('p', 'f', 'c', 'n')
),
fn as materialized (
    select
        p.oid, n.name || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' as name,
        p.proowner as owner, p.prosecdef as definer, p.proacl as acl, n.exposed, p.prokind as kind,
        p.prorettype in ('trigger'::regtype, 'event_trigger'::regtype) as fires,
        (
            select substr(setting, length('search_path=') + 1)
            from unnest(p.proconfig) as setting
            where setting like 'search\_path=%'
        ) as path
    from pg_proc as p
    join ns as n on n.oid = p.pronamespace
    where not exists (select from extended as e where e.classid = 'pg_proc'::regclass and e.objid = p.oid)
),
-- Whoever reads one of these reads auth.users; `owned` once a view on the way asks its owner's rights.
over_users as materialized (
    with recursive chain (oid, owned) as (
        select c.oid, not c.relrowsecurity
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = 'auth' and c.relname = 'users'
        union
        select v.oid, chain.owned or v.kind = 'm' or not v.invoker
        from chain
        join pg_depend as d on d.refobjid = chain.oid and d.classid = 'pg_rewrite'::regclass and d.deptype = 'n'
        join pg_rewrite as w on w.oid = d.objid
        join rel as v on v.oid = w.ev_class and v.kind in ('v', 'm') and v.oid <> chain.oid
    )
    select chain.oid
    from chain
    group by chain.oid
    having bool_or(chain.owned)
),
published as materialized (
    select p.pubname::text as publication, r.oid as rel, r.name as table_name, r.rls, r.exposed, r.identity, p.attnames::text[] as columns
    from pg_publication_tables as p
    join rel as r on r.name = p.schemaname || '.' || p.tablename
),
defaults as materialized (
    select
        pg_get_userbyid(d.defaclrole)::text as owner, coalesce(n.name, '') as schema, d.defaclobjtype as kind,
        case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' end as kinds,
        x.grantee, string_agg(x.privilege_type, ', ' order by x.privilege_type) as privileges
    from pg_default_acl as d
    left join ns as n on n.oid = d.defaclnamespace
    cross join lateral aclexplode(d.defaclacl) as x
    where d.defaclobjtype in ('r', 'S', 'f') and (n.oid is not null or d.defaclnamespace = 0)
        and (x.grantee = 0 or x.grantee in (select a.oid from api as a))
    group by d.oid, d.defaclrole, n.name, d.defaclobjtype, x.grantee
),
-- Membership and attributes that make a role powerful, whatever it is called.
power as materialized (
    select g.oid, g.rolname::text as name,
        case
            when g.rolsuper then 'SUPERUSER'
            when g.rolbypassrls then 'BYPASSRLS'
            when g.rolcreaterole then 'CREATEROLE'
            when g.rolreplication then 'REPLICATION'
            when g.rolname in (
                'pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files', 'pg_maintain',
                'pg_execute_server_program', 'pg_signal_backend', 'pg_checkpoint', 'pg_create_subscription', 'pg_monitor',
                'pg_read_all_settings', 'pg_read_all_stats', 'pg_stat_scan_tables', 'pg_database_owner'
            ) then 'a role of the server'
            when g.oid in (select r.owner from rel as r) then 'owner of tables'
        end as reason
    from pg_roles as g
),
finding as (
    select 'R001' as code, 'table' as object, r.name as table_name, r.bare as name, h.data as detail
    from rel as r
    join reached as h on h.rel = r.oid
    where r.kind in ('r', 'p') and r.exposed and not r.rls and h.data is not null

    union all
    select 'R002', 'table', r.name, r.bare, count(*) || ' policies, none asked: ' || string_agg(p.name, ', ' order by p.name)
    from rel as r
    join policy as p on p.rel = r.oid
    where not r.rls
    group by r.name, r.bare

    union all
    select 'R003', 'table', r.name, r.bare,
        'no permissive policy' || coalesce('; granted all the same: ' || h.data, '; nothing granted to API roles')
    from rel as r
    left join reached as h on h.rel = r.oid
    where r.kind in ('r', 'p') and r.exposed and r.rls
        and not exists (select from policy as p where p.rel = r.oid and p.permissive)

    union all
    select 'R004', 'table', r.name, r.bare, string_agg(c.name, ', ' order by c.attnum) || ': ' || h.reading
    from request as q
    cross join rel as r
    join reached as h on h.rel = r.oid
    join col as c on c.rel = r.oid and c.name ~* any (array[q.secrets, q.sensitive])
    where r.kind in ('r', 'p') and r.exposed and not r.rls and h.reading is not null
    group by r.name, r.bare, h.reading

    union all
    select 'R005', 'table', 'pgmq.' || c.relname, c.relname, string_agg(a.name, ', ' order by a.name) || ' may SELECT'
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace and n.nspname = 'pgmq'
    join api as a on has_any_column_privilege(a.oid, c.oid, 'SELECT')
    where c.relkind in ('r', 'p') and c.relname ~ '^q_' and not c.relrowsecurity
        and 'pgmq_public' in (select e.name from exposed as e)
    group by c.relname

    union all
    select 'R006', 'table', r.name, r.bare, 'no primary key'
    from rel as r
    where r.kind in ('r', 'p') and not exists (select from con as k where k.rel = r.oid and k.kind = 'p')

    union all
    select 'R007', 'column', r.name, c.name, 'nullable; how many rows have none was not counted'
    from rel as r
    join col as c on c.rel = r.oid and c.attnum = r.tenant and not c.not_null

    union all
    select 'R201', 'grant', r.name, 'TRUNCATE', h.truncate
    from rel as r
    join reached as h on h.rel = r.oid
    where r.kind in ('r', 'p', 'f') and h.truncate is not null

    union all
    select 'R202', 'grant', r.name, 'REFERENCES, TRIGGER', h.other
    from rel as r
    join reached as h on h.rel = r.oid
    where h.other is not null

    union all
    select 'R203', 'grant', r.name, c.name, 'UPDATE for ' || string_agg(a.name, ', ' order by a.name)
    from rel as r
    join col as c on c.rel = r.oid and c.attnum = r.tenant
    join api as a on has_schema_privilege(a.oid, r.ns, 'USAGE') and has_column_privilege(a.oid, r.oid, c.attnum, 'UPDATE')
    where r.rls and exists (
        select from policy as p
        where p.rel = r.oid and p.permissive and p.command in ('UPDATE', 'ALL') and p.bound ? a.name
    )
    group by r.name, c.name

    union all
    select 'R204', 'column', r.name, c.name, 'SELECT for ' || string_agg(a.name, ', ' order by a.name)
    from request as q
    cross join rel as r
    join col as c on c.rel = r.oid and c.name ~* q.secrets
    join api as a on has_schema_privilege(a.oid, r.ns, 'USAGE') and has_column_privilege(a.oid, r.oid, c.attnum, 'SELECT')
    where r.kind in ('r', 'p') and r.exposed and r.rls
    group by r.name, c.name

    union all
    select 'R205', o.object, o.table_name, o.name, 'owner is ' || a.name
    from api as a
    join (
        select r.owner, 'table' as object, r.name as table_name, r.bare as name from rel as r
        union all
        select f.owner, 'function', '', f.name from fn as f
        union all
        select n.owner, 'schema', '', n.name from ns as n
    ) as o on o.owner = a.oid

    union all
    select 'R206', 'grant', r.name, coalesce(a.name, 'public'), string_agg(x.privilege_type, ', ' order by x.privilege_type)
    from rel as r
    cross join lateral aclexplode(r.acl) as x
    left join api as a on a.oid = x.grantee
    where x.is_grantable and x.grantee <> r.owner and (a.oid is not null or x.grantee = 0)
    group by r.name, a.name

    union all
    select 'R207', 'schema', '', n.name, 'CREATE for ' || string_agg(a.name, ', ' order by a.name)
    from ns as n
    join api as a on has_schema_privilege(a.oid, n.oid, 'CREATE') and n.owner <> a.oid
    group by n.name

    union all
    select 'R208', 'role', '', a.name, 'member of ' || string_agg(w.name || ' (' || w.reason || ')', ', ' order by w.name)
    from api as a
    join power as w on w.reason is not null and w.oid <> a.oid and pg_has_role(a.oid, w.oid, 'MEMBER')
    where not a.rolsuper
    group by a.name

    union all
    select 'R209', 'role', '', a.name, w.reason
    from api as a
    join power as w on w.oid = a.oid and (a.rolsuper or a.rolbypassrls or a.rolcreaterole or a.rolreplication)

    union all
    select 'R210', 'table', r.name, r.bare, h.role_name || ' may ' || string_agg(h.privilege, ', ')
    from rel as r
    join reach as h on h.rel = r.oid and h.anonymous and h.privilege in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    where r.rls and r.tenant is not null
    group by r.name, r.bare, h.role_name

    union all
    select 'R301', 'function', '', f.name, case when f.definer then 'security definer' else 'security invoker' end
    from fn as f
    where f.path is null and f.kind in ('f', 'p')

    union all
    select 'R302', 'function', '', f.name, case when f.acl is null then 'by the default of new functions' else 'by grant' end
    from fn as f
    where f.exposed and not f.fires
        and (f.acl is null or exists (select from aclexplode(f.acl) as x where x.grantee = 0 and x.privilege_type = 'EXECUTE'))

    union all
    select case when a.anonymous then 'R303' else 'R304' end, 'function', '', f.name,
        'EXECUTE for ' || string_agg(a.name, ', ' order by a.name)
    from fn as f
    join api as a on has_function_privilege(a.oid, f.oid, 'EXECUTE')
    where f.exposed and f.definer
    group by f.name, a.anonymous

    union all
    select 'R305', 'function', '', f.name, string_agg(distinct n.name, ', ') || ' is in its search_path and open to ' || string_agg(distinct a.name, ', ')
    from fn as f
    cross join string_to_table(f.path, ',') as part
    join ns as n on n.name = btrim(part, ' "')
    join api as a on has_schema_privilege(a.oid, n.oid, 'CREATE')
    where f.definer
    group by f.name

    union all
    select 'R401', 'view', r.name, r.bare, h.data
    from rel as r
    join reached as h on h.rel = r.oid
    where r.kind = 'v' and r.exposed and not r.invoker and h.data is not null

    union all
    select 'R402', 'view', r.name, r.bare, h.reading
    from rel as r
    join reached as h on h.rel = r.oid
    join over_users as u on u.oid = r.oid
    where r.kind in ('v', 'm') and r.exposed and h.reading is not null

    union all
    select case r.kind when 'm' then 'R403' else 'R404' end, 'table', r.name, r.bare, h.reading
    from rel as r
    join reached as h on h.rel = r.oid
    where r.kind in ('m', 'f') and r.exposed and h.reading is not null

    union all
    select 'R405', 'rule', r.name, w.rulename, case when w.is_instead then 'instead of the statement' else 'beside the statement' end
    from pg_rewrite as w
    join rel as r on r.oid = w.ev_class and r.kind in ('r', 'p', 'f')

    union all
    select case when h.anonymous then 'R406' else 'R407' end, 'table', r.name, r.bare, string_agg(h.role_name, ', ' order by h.role_name)
    from rel as r
    join reach as h on h.rel = r.oid and h.privilege = 'SELECT'
    where r.kind <> 'p' and exists (select from pg_extension as x where x.extname = 'pg_graphql')
    group by r.name, r.bare, h.anonymous

    union all
    select 'R501', 'constraint', k.table_name, k.name, 'no index begins with its columns: ' || (
        select string_agg(a.attname, ', ' order by p.place)
        from unnest(k.key) with ordinality as p (attnum, place)
        join pg_attribute as a on a.attrelid = k.rel and a.attnum = p.attnum
    )
    from con as k
    where k.kind = 'f' and not exists (
        select from idx as i
        where i.rel = k.rel and i.valid and i.key[1:cardinality(k.key)] = k.key
            and (i.predicate = '' or i.predicate ~ '^\("?[^" ]+"? IS NOT NULL\)$')
    )

    union all
    select 'R502', 'index', i.table_name, min(i.name), 'identical: ' || string_agg(i.name, ', ' order by i.name)
    from idx as i
    group by i.table_name, i.method, i.is_unique, i.keys, i.key, i.class, i.collation, i.options, i.expressions, i.predicate
    having count(*) > 1

    union all
    select 'R503', 'index', i.table_name, i.name, 'begins ' || string_agg(o.name, ', ' order by o.name)
    from idx as i
    join pg_am as m on m.oid = i.method and m.amname = 'btree'
    join idx as o
        on o.rel = i.rel and o.oid <> i.oid and o.method = i.method and o.valid and o.keys >= i.keys
        and o.key[1:i.keys] = i.key and o.class[1:i.keys] = i.class and o.collation[1:i.keys] = i.collation
        and o.options[1:i.keys] = i.options and o.predicate = i.predicate and o.expressions = ''
        and (o.keys > i.keys or o.is_unique)
    where i.valid and not i.is_unique and i.keys = i.columns and i.expressions = ''
    group by i.table_name, i.name

    union all
    select 'R504', 'index', i.table_name, i.name, case when i.is_unique then 'unique, and guarantees nothing' else 'never read' end
    from idx as i
    where not i.valid

    union all
    select 'R505', 'constraint', k.table_name, k.name, pg_get_constraintdef(k.oid)
    from con as k
    where not k.validated

    union all
    select 'R506', 'constraint', k.table_name, k.name, pg_get_constraintdef(k.oid)
    from con as k
    join pg_class as c on c.oid = k.parent
    join pg_namespace as n on n.oid = c.relnamespace and n.nspname = 'auth'
    join pg_index as i on i.indexrelid = k.parent_index and not i.indisprimary
    where k.kind = 'f'

    union all
    select 'R507', 'index', i.table_name, i.name, 'unique over ' || (
        select string_agg(coalesce(a.attname, 'an expression'), ', ' order by p.place)
        from unnest(i.key[1:i.keys]) with ordinality as p (attnum, place)
        left join pg_attribute as a on a.attrelid = i.rel and a.attnum = p.attnum
    )
    from idx as i
    where i.is_unique and not i.is_primary and i.tenant is not null and not i.tenant = any (i.key[1:i.keys])

    union all
    select distinct 'R508', 'trigger', r.name, coalesce(k.conname, t.tgname)::text,
        case t.tgenabled when 'D' then 'disabled' else 'fires in replication only' end
    from pg_trigger as t
    join rel as r on r.oid = t.tgrelid
    left join pg_constraint as k on k.oid = t.tgconstraint and t.tgisinternal
    where t.tgenabled in ('D', 'R')

    union all
    select 'R509', 'column', r.name, c.name, c.type::regtype::text
    from col as c
    join rel as r on r.oid = c.rel
    where c.type in (
        'regcollation'::regtype, 'regconfig'::regtype, 'regdictionary'::regtype, 'regnamespace'::regtype,
        'regoper'::regtype, 'regoperator'::regtype, 'regproc'::regtype, 'regprocedure'::regtype
    )

    union all
    select 'R510', 'index', i.table_name, i.name, 'no scan counted'
    from request as q
    cross join idx as i
    where (q.doc ->> 'unused_indexes')::boolean and not i.is_unique and pg_stat_get_numscans(i.oid) = 0

    union all
    select 'R601', 'publication', p.table_name, p.publication, 'publishes ' || string_agg(c, ', ' order by c)
    from request as q
    cross join published as p
    cross join unnest(p.columns) as c
    where c ~* q.secrets
    group by p.table_name, p.publication

    union all
    select 'R602', 'publication', p.table_name, p.publication, 'row-level security is off'
    from published as p
    where p.exposed and not p.rls

    union all
    select 'R603', 'publication', '', p.pubname,
        case when p.puballtables then 'for all tables' else 'for all tables of ' || s.schemas end
    from pg_publication as p
    left join lateral (
        select string_agg(n.nspname, ', ' order by n.nspname) as schemas
        from pg_publication_namespace as x
        join pg_namespace as n on n.oid = x.pnnspid
        where x.pnpubid = p.oid
    ) as s on true
    where p.puballtables or s.schemas is not null

    union all
    select 'R604', 'publication', p.table_name, p.publication, 'replica identity full'
    from published as p
    where p.exposed and p.identity = 'f'

    union all
    select case when d.grantee = 0 then 'R703' else 'R701' end, 'default privileges', '',
        d.kinds || ' of ' || d.owner || coalesce(' in ' || nullif(d.schema, ''), ''),
        string_agg(coalesce(a.name, 'PUBLIC') || ': ' || d.privileges, '; ' order by a.name)
    from defaults as d
    left join api as a on a.oid = d.grantee
    where d.grantee <> 0 or d.kind <> 'f'
    group by d.kinds, d.owner, d.schema, d.grantee = 0

    union all
    select 'R702', 'default privileges', '', 'functions of ' || g.rolname, 'EXECUTE for PUBLIC, the server''s built-in default'
    from pg_roles as g
    where g.oid in (select r.owner from rel as r where r.exposed) and not exists (
        select
        from pg_default_acl as d
        where d.defaclrole = g.oid and d.defaclnamespace = 0 and d.defaclobjtype = 'f'
            and not exists (select from aclexplode(d.defaclacl) as x where x.grantee = 0)
    )

    union all
    select 'R704', 'extension', '', x.extname, 'in ' || n.name
    from pg_extension as x
    join ns as n on n.oid = x.extnamespace and n.exposed
    where x.extname <> 'plpgsql'
)
select f.code, f.object, f.table_name, f.name, f.detail
from finding as f
union all
select 'table', 'table', r.name, r.bare, jsonb_build_object(
    'name', r.name, 'bare', r.bare, 'rls', r.rls, 'tenant', c.tenant, 'columns', c.columns, 'not_null', c.not_null,
    'anonymous', coalesce(h.anonymous, '[]'), 'policies', p.policies
)::text
from rel as r
join (
    select p.rel, jsonb_agg(jsonb_build_object(
        'name', p.name, 'command', p.command, 'permissive', p.permissive, 'roles', p.roles, 'bound', p.bound,
        'using', p.condition, 'check', p.write_check
    ) order by p.name) as policies
    from policy as p
    group by p.rel
) as p on p.rel = r.oid
join (
    select
        r.oid as rel, jsonb_agg(c.name order by c.attnum) as columns,
        coalesce(jsonb_agg(c.name order by c.attnum) filter (where c.not_null), '[]') as not_null,
        coalesce(max(c.name) filter (where c.attnum = r.tenant), '') as tenant
    from rel as r
    join col as c on c.rel = r.oid
    group by r.oid
) as c on c.rel = r.oid
left join (
    select h.rel, jsonb_agg(h.privilege order by h.privilege) filter (where h.anonymous) as anonymous
    from reach as h
    group by h.rel
) as h on h.rel = r.oid
union all
select 'scope', 'schema', '', '', jsonb_build_object(
    'schemas', (select coalesce(jsonb_agg(n.name order by n.name), '[]') from ns as n where n.exposed),
    'roles', (select coalesce(jsonb_agg(a.name order by a.name), '[]') from api as a),
    'absent', (
        select coalesce(jsonb_agg(w order by w), '[]')
        from request as q
        cross join jsonb_array_elements_text(q.doc -> 'roles') as w
        where w not in (select a.name from api as a)
    ),
    'tables', (select count(*) from rel as r where r.exposed and r.kind in ('r', 'p')),
    'policies', (select count(*) from policy),
    'functions', (select count(*) from fn as f where f.exposed),
    'defaults', (
        select case
            when bool_or(d.privileges like '%SELECT%') then 'classic'
            when count(*) > 0 then '2026'
            else 'none'
        end
        from defaults as d
        join ns as n on n.name = d.schema and n.exposed
        where d.kind = 'r' and d.grantee <> 0
            and d.owner in (select pg_get_userbyid(r.owner) from rel as r where r.exposed)
    )
)::text
order by 1, 3, 4

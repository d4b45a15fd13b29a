-- One text for all that catalog.sql would read of what patchdeck.wanted asks for; null where it can not vouch for that.
-- Whoever changes a row of the system catalogs leaves another version of it, with the id of his transaction in xmin, and
-- neither VACUUM nor ANALYZE does: where every version is the one it was, every definition is. What the deparser takes
-- from elsewhere, the names of what a definition hangs on, counts as well; a class of such things that is not looked at
-- here is the case of the null. Superusers can rename what is built in, which nothing records.
with wanted as materialized (
    select current_setting('patchdeck.wanted')::json as what
),
relation as materialized (
    select c.oid
      from wanted w
      cross join lateral (
          select json_array_elements_text(w.what -> 'tables')
          union all
          select json_array_elements_text(w.what -> 'views')
      ) as r (called)
      join pg_catalog.pg_namespace n on n.nspname = split_part(r.called, '.', 1)::name
      join pg_catalog.pg_class c
        on c.relnamespace = n.oid and c.relname = substr(r.called, strpos(r.called, '.') + 1)::name
),
part (kind, oid, xmin) as materialized (
    select 'default', d.oid, d.xmin from pg_catalog.pg_attrdef d
     where d.adrelid = any (array(select oid from relation))
    union all
    select 'constraint', k.oid, k.xmin from pg_catalog.pg_constraint k
     where k.conrelid = any (array(select oid from relation))
    union all
    select 'index', x.indexrelid, x.xmin from pg_catalog.pg_index x
     where x.indrelid = any (array(select oid from relation))
    union all
    select 'policy', p.oid, p.xmin from pg_catalog.pg_policy p
     where p.polrelid = any (array(select oid from relation))
    union all
    select 'trigger', t.oid, t.xmin from pg_catalog.pg_trigger t
     where t.tgrelid = any (array(select oid from relation)) and not t.tgisinternal
    union all
    select 'rule', w.oid, w.xmin from pg_catalog.pg_rewrite w
     where w.ev_class = any (array(select oid from relation))
    union all
    select 'function', f.oid, f.xmin from pg_catalog.pg_proc f
     where f.proname = any (array(
         select split_part(substr(e.called, strpos(e.called, '.') + 1), '(', 1)::name
           from wanted w cross join lateral json_array_elements_text(w.what -> 'functions') as e (called)))
    union all
    select 'publication', b.oid, b.xmin from pg_catalog.pg_publication b
    union all
    select 'published table', b.oid, b.xmin from pg_catalog.pg_publication_rel b
    union all
    select 'published schema', b.oid, b.xmin from pg_catalog.pg_publication_namespace b
),
named (class, oid) as materialized (
    select d.refclassid, d.refobjid
      from pg_catalog.pg_depend d
     where d.objid = any (array(select oid from part union all select oid from relation))
    union all
    select 'pg_catalog.pg_class'::regclass, oid from relation
    union all
    -- Its name and options.
    select 'pg_catalog.pg_class'::regclass, oid from part where kind = 'index'
),
item (kind, oid, version) as (
    select kind, oid, xmin::text from part
    union all
    select 'relation', c.oid, c.xmin::text from pg_catalog.pg_class c
     where c.oid = any (array(select oid from named where class = 'pg_catalog.pg_class'::regclass))
    union all
    select 'column', a.attrelid, a.attnum || ' ' || a.xmin from pg_catalog.pg_attribute a
     where a.attrelid = any (array(select oid from named where class = 'pg_catalog.pg_class'::regclass))
       and a.attnum > 0
    union all
    select 'called function', f.oid, f.xmin::text from pg_catalog.pg_proc f
     where f.oid = any (array(select oid from named where class = 'pg_catalog.pg_proc'::regclass))
    union all
    select 'type', t.oid, t.xmin::text from pg_catalog.pg_type t
     where t.oid = any (array(select oid from named where class = 'pg_catalog.pg_type'::regclass))
    union all
    -- Of every enumeration: a constant may be a list of them, or hold them in a row.
    select 'label', e.oid, e.xmin::text from pg_catalog.pg_enum e
    union all
    select 'comment', s.objoid, s.objsubid || ' ' || s.xmin from pg_catalog.pg_description s
     where s.objoid = any (array(select oid from part union all select oid from relation))
    union all
    select 'language', l.oid, l.xmin::text from pg_catalog.pg_language l
    union all
    select 'schema', n.oid, n.xmin::text from pg_catalog.pg_namespace n where n.nspname !~ '^pg_'
    union all
    select 'member', m.roleid, m.member || ' ' || m.xmin from pg_catalog.pg_auth_members m
    union all
    select 'role', r.oid, r.rolname || ' ' || r.rolinherit || ' ' || r.rolsuper from pg_catalog.pg_roles r
)
select case when not exists (
           select
             from named
            where class not in (
                'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_type'::regclass,
                'pg_catalog.pg_namespace'::regclass, 'pg_catalog.pg_language'::regclass,
                'pg_catalog.pg_constraint'::regclass, 'pg_catalog.pg_attrdef'::regclass,
                'pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_trigger'::regclass,
                'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_publication'::regclass,
                'pg_catalog.pg_publication_rel'::regclass, 'pg_catalog.pg_extension'::regclass)
       ) then encode(sha256(convert_to(
           -- Who asks belongs to it: whether an owner's objects can be used is part of what is read.
           (select w.what ->> 'reader' from wanted w) || ',' || current_user || ','
           || string_agg(i.kind || ' ' || i.oid || ' ' || i.version, ',' order by i.oid, i.kind, i.version), 'UTF8'
       )), 'hex') end
  from item i

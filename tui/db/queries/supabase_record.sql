-- The run as a row of the Supabase CLI's history, by the CLI's own statements (pkg/migration/history.go of v2.104).
-- patchdeck.supabase = JSON {version, name, statements}. What is there already is not asked for again: `create schema
-- if not exists` wants CREATE on the database even so, and ADD COLUMN a lock that is in everybody's way.
-- patchdeck.supabase_done says what was done.
do $$
declare
    wanted constant jsonb := pg_catalog.current_setting('patchdeck.supabase')::jsonb;
    history oid;
    holds text[];
    demanded text;
    other text;
begin
    if not exists (select from pg_catalog.pg_namespace n where n.nspname = 'supabase_migrations') then
        create schema if not exists supabase_migrations;
    end if;
    -- Not information_schema: it hides what the role has no right to, and creating that again would fail.
    if not exists (
        select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'supabase_migrations' and c.relname = 'schema_migrations')
    then
        create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
    end if;
    select c.oid,
           array_agg(a.attname::text),
           string_agg(a.attname, ', ') filter (
               where a.attnotnull and not a.atthasdef and a.attidentity = ''
                 and a.attname not in ('version', 'name', 'statements'))
      into history, holds, demanded
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where n.nspname = 'supabase_migrations' and c.relname = 'schema_migrations'
     group by c.oid;
    if demanded is not null then
        raise exception 'supabase_migrations.schema_migrations wants a value for %, which the Supabase CLI does not write',
            demanded using errcode = 'PD003';
    end if;
    if not holds @> array['statements'] then
        alter table supabase_migrations.schema_migrations add column if not exists statements text[];
    end if;
    if not holds @> array['name'] then
        alter table supabase_migrations.schema_migrations add column if not exists name text;
    end if;
    select coalesce(m.name, '') into other
      from supabase_migrations.schema_migrations m
     where m.version = wanted ->> 'version';
    if other <> wanted ->> 'name' then
        raise exception 'version % of the Supabase history is another migration: %',
            wanted ->> 'version', coalesce(nullif(other, ''), 'one without a name') using errcode = 'PD003';
    end if;
    -- The upsert of `migration repair`: a second apply, or one after `db push`, renews the row.
    insert into supabase_migrations.schema_migrations (version, name, statements)
    values (
        wanted ->> 'version', wanted ->> 'name',
        array(select s.statement
                from pg_catalog.jsonb_array_elements_text(wanted -> 'statements') with ordinality s (statement, place)
               order by s.place))
    on conflict (version) do update set name = excluded.name, statements = excluded.statements;
    perform pg_catalog.set_config(
        'patchdeck.supabase_done', case when other is null then 'recorded' else 'renewed' end, true);
end
$$

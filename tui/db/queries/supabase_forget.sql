-- Takes the row of a patch that is rolled back out of the Supabase CLI's history, as `migration repair --status
-- reverted` does: else `supabase db push` would think it is still applied. patchdeck.supabase = JSON {version, name}.
-- A database without that history, or with another migration of that version, is left alone; patchdeck.supabase_done
-- says what was done: '' nothing, 'taken back', or 'left' where the role may not.
do $$
declare
    wanted constant jsonb := pg_catalog.current_setting('patchdeck.supabase')::jsonb;
    may boolean;
    done text := '';
begin
    select pg_catalog.has_schema_privilege(n.oid, 'USAGE')
           and pg_catalog.has_table_privilege(c.oid, 'SELECT')
           and pg_catalog.has_table_privilege(c.oid, 'DELETE')
      into may
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'name' and not a.attisdropped
     where n.nspname = 'supabase_migrations' and c.relname = 'schema_migrations';
    if may then
        delete from supabase_migrations.schema_migrations m
         where m.version = wanted ->> 'version' and m.name = wanted ->> 'name';
        done := case when found then 'taken back' else '' end;
    elsif may is not null then
        done := 'left';
    end if;
    perform pg_catalog.set_config('patchdeck.supabase_done', done, true);
end
$$

-- Why the matrix must not or can not run here: a JSON array of sentences, left in patchdeck.refused and answered.
-- $1 = JSON {tables: [names], accounts: name, roles: [names]}. Everything else of the batch asks that setting first, so
-- that it may be sent in the same round trip. The second column says what keeps the negative control from running.
with asked as (
    select $1::jsonb as what
),
places as (
    select name, to_regclass(name)::oid as relation
      from asked, lateral (
          select jsonb_array_elements_text(what -> 'tables') union select what ->> 'accounts'
      ) as names (name)
),
reasons (place, reason) as (
    select 1, 'this connection is read-only: no synthetic row can be made'
     where current_setting('transaction_read_only') = 'on' or pg_catalog.pg_is_in_recovery()
    union all
    select 2, 'role ' || role_name || ' does not exist'
      from asked, jsonb_array_elements_text(what -> 'roles') as role_name
     where to_regrole(role_name) is null
    union all
    -- Since PostgreSQL 16 membership alone does not allow SET ROLE.
    select 2, 'role ' || current_user || ' may not act as ' || role_name
      from asked, jsonb_array_elements_text(what -> 'roles') as role_name
     where to_regrole(role_name) is not null
       and not pg_has_role(
           to_regrole(role_name), case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end
       )
    union all
    select 3, 'role ' || current_user || ' may not insert into ' || (what ->> 'accounts')
      from asked
     where not coalesce(has_table_privilege(to_regclass(what ->> 'accounts'), 'INSERT'), false)
    union all
    -- A rollback undoes what happens in the database. What other languages do, or SQL that leaves the server, stays;
    -- pg_net's net.http_* only fill a queue table and are undone.
    select 4, format('trigger %s on %s runs %s, which may reach outside the database: a rollback would not undo that',
                     t.tgname, p.name, f.oid::regprocedure)
      from places p
      join pg_catalog.pg_trigger t on t.tgrelid = p.relation and not t.tgisinternal and t.tgenabled in ('O', 'A')
      join pg_catalog.pg_proc f on f.oid = t.tgfoid
      join pg_catalog.pg_language l on l.oid = f.prolang
     where l.lanname not in ('plpgsql', 'sql', 'internal')
        or f.prosrc ~* '(^|[^.\w])(dblink\w*|http|http_\w+|lo_export|pg_file_write)\s*\('
        or f.prosrc ~* '\m(?!net\.)\w+\.(dblink\w*|http|http_\w+)\s*\('
        or f.prosrc ~* '\mcopy\M.*\m(program|to)\M'
)
select set_config('patchdeck.refused', coalesce(jsonb_agg(reason order by place, reason), '[]')::text, true),
       (select 'these may not use temporary tables (TEMPORARY on the database): ' || string_agg(role_name, ', ')
          from asked, jsonb_array_elements_text(what -> 'roles' || to_jsonb(current_user)) as role_name
         where to_regrole(role_name) is not null
           and not has_database_privilege(to_regrole(role_name), current_database(), 'TEMPORARY'))
  from reasons

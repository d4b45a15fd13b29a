-- Bodies of every kind, as migrations of real projects have them. 12 statements.
/* A block comment; /* with one inside; */ still a comment; */
create schema if not exists accounts;

create or replace function accounts.slugify(value text)
returns text
language sql
immutable
as $function$
  select trim(both '-' from regexp_replace(lower(value), '[^a-z0-9\\-_]+', '-', 'gi')); -- ; not the end
$function$;

CREATE FUNCTION accounts."new;user"()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = ''
AS $_$
declare
  statement text := $q$ insert into t values ($$;$$) $q$;
begin
  if new.email is null then
    raise exception 'no e-mail; %', E'it\'s; missing';
  end if;
  return new;
end;
$_$;

create trigger on_signup after insert on auth.users
  for each row execute function accounts."new;user"();

create function accounts.grade(points int) returns text
language sql
begin atomic
  select case
    when points > 90 then case points when 100 then 'A+; well' else 'A' end
    else 'B'
  end;
end;

create or replace procedure accounts.tidy()
begin atomic
  delete from accounts.old where kept = false;
  insert into accounts.log select 'tidied; ' || now() as "end;";
end;

create rule log_delete as on delete to accounts.old
  do also (insert into accounts.log values ('gone;'); update accounts.stats set n = n - 1; );

do $$ begin if exists (select 1 from pg_roles where rolname = 'x') then null; end if; end $$;

comment on function accounts.slugify(text) is 'apostrophes don''t end it; nor do
line breaks; or -- this';

create policy "Members; only" on accounts.log for select to authenticated
  using ( (select auth.uid()) = user_id /* ; */ );

revoke all on all tables in schema accounts from public, anon;
grant select (id, "weird;column"), insert on table accounts.log to authenticated

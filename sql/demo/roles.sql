-- The roles of a Supabase project with the attributes a client meets (measured on the public image).
-- Runs once per cluster, as the bootstrap superuser. Passwords are set by the product, never here.

create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';

create role authenticator login noinherit;
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role authenticator set pgrst.db_schemas = 'public, graphql_public';
grant anon, authenticated, service_role to authenticator;

create role supabase_auth_admin login noinherit createrole;
alter role supabase_auth_admin set search_path = 'auth';
alter role supabase_auth_admin set idle_in_transaction_session_timeout = '60000';
create role supabase_storage_admin login noinherit createrole;
alter role supabase_storage_admin set search_path = 'storage';
grant authenticator to supabase_storage_admin;
create role dashboard_user nologin createrole createdb replication;
create role supabase_read_only_user login bypassrls;
grant pg_read_all_data to supabase_read_only_user;
create role supabase_replication_admin login replication;

-- The operator: no superuser, but past row-level security.
create role postgres login createrole createdb replication bypassrls;
-- The backslash is real: no schema has that name (an escape that went wrong in the image).
alter role postgres set search_path = "\$user", public, extensions;
grant anon, authenticated, service_role to postgres;
grant supabase_auth_admin, supabase_storage_admin to postgres;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;

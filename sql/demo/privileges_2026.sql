-- The default privileges that hosted projects got in 2026, in the words of the platform's own change. It leaves TRUNCATE,
-- REFERENCES and TRIGGER on new tables to all three API roles, and EXECUTE on new functions to PUBLIC.

alter default privileges for role postgres in schema public
  revoke select, insert, update, delete on tables from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  revoke usage, select on sequences from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  revoke execute on functions from anon, authenticated, service_role;

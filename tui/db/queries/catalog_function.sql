-- catalog.sql as a function. Parsing and planning it costs the server as much as running it, and a run reads the catalog
-- again and again, the last times while readers wait; a function's plan is kept. It lives in the session's temporary
-- schema and for this transaction only: the run drops it before COMMIT.
create function pg_temp.patchdeck_catalog(text) returns text language plpgsql
set plan_cache_mode = force_generic_plan
set jit = off
as $patchdeck$
begin
return (
{catalog}
);
end
$patchdeck$

-- Gives the run patchdeck.run the fingerprint of the catalog it left, where what patchdeck.catalog_query says now is what the
-- run recorded. The fingerprint is taken first: what somebody changes between the two is then in the catalog and not in
-- it. A run without one is looked at in full, so nothing that fails here is worth more words than that.
do $$
declare
    print text;
    found text;
begin
    execute pg_catalog.current_setting('patchdeck.fingerprint_query') into print;
    execute pg_catalog.current_setting('patchdeck.catalog_query') into found
      using pg_catalog.current_setting('patchdeck.wanted');
    update patchdeck.runs
       set fingerprint = print
     where run_id = pg_catalog.current_setting('patchdeck.run')::pg_catalog.uuid
       and surface_after = found::pg_catalog.jsonb;
exception when others then
    null;
end
$$

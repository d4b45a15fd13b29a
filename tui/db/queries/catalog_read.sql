-- Leaves in patchdeck.catalog what the query patchdeck.catalog_query says of patchdeck.wanted; '' where the first question to
-- the ledger (recognised.sql) was answered, and the catalog with it.
do $$
declare
    found text := '';
begin
    if pg_catalog.current_setting('patchdeck.answered') <> '1' then
        execute pg_catalog.current_setting('patchdeck.catalog_query') into found
          using pg_catalog.current_setting('patchdeck.wanted');
    end if;
    perform pg_catalog.set_config('patchdeck.catalog', found, true);
end
$$

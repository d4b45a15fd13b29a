-- Whether there is a ledger, whoever may read it.
select exists (
    select from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'patchdeck' and c.relname = 'runs')

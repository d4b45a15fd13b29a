-- The sequences that have given out a value and where they are, as a JSON object {name: last value}: what no rollback
-- takes back. One whose value this role may not see is left out.
select coalesce(pg_catalog.jsonb_object_agg(s.schemaname || '.' || s.sequencename, s.last_value), '{}')::text
  from pg_catalog.pg_sequences s
 where s.last_value is not null

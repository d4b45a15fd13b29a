-- Which of the relations and columns named in %(names)s ('schema.table' or 'schema.table.column') exist.
select name
from unnest(%(names)s::text[]) as name
where exists (
  select from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where n.nspname = split_part(name, '.', 1)
    and c.relname = split_part(name, '.', 2)
    and (
      split_part(name, '.', 3) = ''
      or exists (
        select from pg_catalog.pg_attribute as a
        where a.attrelid = c.oid and a.attname = split_part(name, '.', 3) and a.attnum > 0 and not a.attisdropped
      )
    )
)

-- What building an index beforehand needs to know, as one JSON document; $1 = JSON object {index name: table}. Sizes come
-- from statistics: measuring would take a lock. `building`: the process that is at that index now.
select json_build_object(
    'timeout', (select s.setting::bigint from pg_catalog.pg_settings s where s.name = 'statement_timeout'),
    'indexes', coalesce(json_object_agg(w.name, json_build_object(
        'there', i.indexrelid is not null,
        'valid', coalesce(i.indisvalid and i.indisready and i.indislive, false),
        'building', p.pid,
        'done', case when p.tuples_total > 0 then p.tuples_done::float8 / p.tuples_total
                     when p.blocks_total > 0 then p.blocks_done::float8 / p.blocks_total end,
        'phase', coalesce(p.phase, ''))) filter (where w.name is not null), '{}'))::text
  from json_each_text($1::json) as w (name, relation)
  left join (
      pg_catalog.pg_class t
      join pg_catalog.pg_namespace n on n.oid = t.relnamespace
  ) on t.relname = substr(w.relation, strpos(w.relation, '.') + 1)::name
   and n.nspname = split_part(w.relation, '.', 1)::name
  left join (
      pg_catalog.pg_index i
      join pg_catalog.pg_class c on c.oid = i.indexrelid
  ) on i.indrelid = t.oid and c.relname = w.name::name
  left join pg_catalog.pg_stat_progress_create_index p on p.index_relid = i.indexrelid

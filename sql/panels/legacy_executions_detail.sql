-- Before the migration: one workflow execution, column by column, as it is now.
--   $1 its id
-- Columns as in executions_detail.sql.
select
  field.name,
  left(field.value, 100000) as value,
  length(field.value) as length
from public.workflow_executions
cross join lateral json_each_text(row_to_json(workflow_executions)) with ordinality as field (name, value, place)
where workflow_executions.id = $1::uuid
order by field.place

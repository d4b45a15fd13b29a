-- One execution, column by column, as it is now.
--   $1 its id
-- Columns: name, value, length (of the whole value, in characters: more than 100,000 are not sent).
select
  field.name,
  left(field.value, 100000) as value,
  length(field.value) as length
from (
  select row_to_json(agent_executions) as fields from public.agent_executions where id = $1::uuid
  union all
  select row_to_json(workflow_executions) from public.workflow_executions where id = $1::uuid
) as execution
cross join lateral json_each_text(execution.fields) with ordinality as field (name, value, place)
order by field.place

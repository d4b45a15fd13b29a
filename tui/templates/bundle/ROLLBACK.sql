-- Takes the access rules back: the policies, triggers and views of PATCH.sql, and no more. Tables, columns, rows and row
-- level security stay, so users of the API see nothing until something is put back; the modes `restore` and
-- `restore-closed` put back what was recorded before the apply.
drop policy if exists notes_select on public.notes;
drop policy if exists notes_insert on public.notes;
drop policy if exists notes_update on public.notes;
drop policy if exists notes_delete on public.notes;

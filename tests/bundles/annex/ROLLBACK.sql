-- Removes the views, the trigger and the policies.
drop view if exists public.a_list;
drop view if exists public.shelf_list;
drop trigger if exists stamp_shelves on public.shelves;
drop policy if exists shelves_read on public.shelves;
drop policy if exists tags_read on public.tags;

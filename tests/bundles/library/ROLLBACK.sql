-- Removes the policies, the trigger and the view; tables, data and row level security stay.
drop view if exists public.open_loans;
drop trigger if exists books_touch on public.books;
drop policy if exists books_read on public.books;
drop policy if exists loans_read on public.loans;
drop policy if exists loans_take on public.loans;

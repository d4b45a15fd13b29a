DROP POLICY IF EXISTS "Members see ""their"" items" ON public.items;
DROP POLICY IF EXISTS restrict_it ON public.orgs;
DROP TRIGGER IF EXISTS "Stamp It" ON public.items;
DROP TRIGGER IF EXISTS after_all ON public.items;
DROP VIEW IF EXISTS public.org_names;

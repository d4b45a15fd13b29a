-- One of everything that a deriver has to find words for, or say that there are none.
CREATE TYPE public.mood AS ENUM ('sad', 'ok');
CREATE SEQUENCE public.counter;
CREATE TABLE IF NOT EXISTS public.items (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  serial_no bigserial,
  org_id bigint NOT NULL REFERENCES public.orgs (id) DEFERRABLE INITIALLY DEFERRED,
  "Mixed Case" text COLLATE "C" DEFAULT E'a\nb\'c',
  price numeric(10, 2) CHECK (price > 0),
  total numeric GENERATED ALWAYS AS (price * 2) STORED,
  state mood NOT NULL DEFAULT 'ok',
  tags varchar(20)[] DEFAULT '{}',
  span tstzrange,
  parent bigint,
  UNIQUE NULLS NOT DISTINCT (org_id, "Mixed Case"),
  EXCLUDE USING gist (span WITH &&),
  CONSTRAINT "odd check" CHECK (length("Mixed Case") < 10) NOT VALID
);
CREATE TABLE public.events (id bigint, at timestamptz not null, payload jsonb) PARTITION BY RANGE (at);
CREATE TABLE public.events_2026 PARTITION OF public.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX events_at_idx ON public.events (at);
CREATE UNIQUE INDEX items_serial ON public.items (serial_no) WHERE state = 'ok';
CREATE INDEX items_tags_idx ON public.items USING gin (tags);
CREATE INDEX items_lower_idx ON public.items (lower("Mixed Case") text_pattern_ops DESC NULLS LAST) INCLUDE (price) WITH (fillfactor = 70);
ALTER TABLE items ENABLE ROW LEVEL SECURITY;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE orgs ADD COLUMN owner uuid REFERENCES auth.users, ALTER COLUMN plan SET NOT NULL, ALTER COLUMN slug SET DEFAULT 'x';
ALTER TABLE public.orgs ADD CONSTRAINT plan_known CHECK (plan IN ('free', 'paid'));
DROP POLICY "Public orgs are viewable" ON orgs;
CREATE POLICY "Members see ""their"" items" ON items FOR ALL USING (public.is_admin((select auth.uid()), items.org_id) AND "Mixed Case" <> 'x''y') WITH CHECK (EXISTS (SELECT 1 FROM items i WHERE i.parent = items.id));
CREATE POLICY restrict_it ON public.orgs AS RESTRICTIVE TO authenticated, anon USING (owner = auth.uid() OR "Odd Name" IS NULL);
CREATE OR REPLACE FUNCTION public.is_admin(uid uuid, org bigint default 1) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$ select uid is not null and org > 0 -- it's
$$;
CREATE FUNCTION public.atomic_one(a integer) RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT a + 1; END;
CREATE PROCEDURE public.tidy_up() LANGUAGE plpgsql AS 'begin null; end';
CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS $f$ begin return new; end $f$;
CREATE TRIGGER "Stamp It" BEFORE INSERT OR UPDATE OF "Mixed Case", price ON public.items FOR EACH ROW WHEN (NEW.price > 1 AND NEW."Mixed Case" IS DISTINCT FROM 'a)b') EXECUTE FUNCTION public.stamp('it''s', '2');
CREATE TRIGGER after_all AFTER DELETE OR TRUNCATE ON public.items FOR EACH STATEMENT EXECUTE FUNCTION stamp();
CREATE MATERIALIZED VIEW public.totals AS SELECT org_id, sum(price) AS s FROM public.items GROUP BY 1;
CREATE VIEW public.org_names WITH (security_invoker = on) AS SELECT id, slug, 'a
b' AS lit FROM public.orgs;
CREATE SCHEMA hidden;
GRANT USAGE ON SCHEMA hidden TO authenticated;
CREATE TABLE hidden.secrets (id int);
GRANT SELECT ("Mixed Case"), UPDATE (price) ON items TO anon;
DO $$ begin if exists (select from pg_publication where pubname = 'supabase_realtime') then alter publication supabase_realtime add table public.items; end if; end $$;
COMMENT ON TABLE items IS 'hi';
INSERT INTO public.orgs (slug) VALUES ('first');

--
-- PostgreSQL database dump, shortened: nothing of it can run as one piped transaction unchanged.
--

\restrict 4gXk2

SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

CREATE TABLE public.notes (
    id integer NOT NULL,
    body text
);

COPY public.notes (id, body) FROM stdin;
1	it's; not 'SQL
2	"nor is this; \\x $$
\.

ALTER TABLE ONLY public.notes
    ADD CONSTRAINT notes_pkey PRIMARY KEY (id);

\unrestrict 4gXk2

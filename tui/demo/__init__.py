"""The embedded demo: a server, a Supabase-like database, its traffic."""

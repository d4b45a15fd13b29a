"""All that talks to Postgres."""

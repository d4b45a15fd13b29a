"""patchdeck: a terminal flight deck for one database migration on one Postgres database."""

__version__ = "0.1.0"

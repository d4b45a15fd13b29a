"""What each command does: one module for a kind of command, imported when it runs."""

"""Pure logic: no I/O, no Textual, no driver, no clock."""

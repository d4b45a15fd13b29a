"""One file a widget: they draw what they are given and post messages."""

"""One file a screen: they draw what they are given and post messages."""

"""The steps of a walkthrough, one file a step."""

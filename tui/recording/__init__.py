"""What a dashboard showed, kept line by line and shown again: for post-mortems, tests and pictures."""

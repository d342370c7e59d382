"""What `evaluate` does with its options, and what `animate --qa` shares with it."""

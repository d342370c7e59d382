"""What frames of a shot lend each other: which, kept in one file, and told."""

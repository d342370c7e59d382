"""What is seen of a run while it goes on: edits of held-out people, as numbers and as a sheet."""

"""Many videos under way at once: what waits for a stage, what runs, and where."""

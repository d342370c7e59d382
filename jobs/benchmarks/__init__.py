"""What `benchmark` measures, a file per subject."""

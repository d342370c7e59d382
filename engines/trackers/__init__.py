"""Face trackers: frames in, faces out."""

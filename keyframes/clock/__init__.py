"""Times as people write them, on a clip's own clock."""

"""LibreFace's AU network, from its published checkpoint."""

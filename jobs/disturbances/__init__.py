"""What `chaos` does: runs are broken on purpose, and all that they publish is compared."""

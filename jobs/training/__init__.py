"""What `train` and `make-pairs` do with their options."""

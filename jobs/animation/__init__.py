"""What `animate` and `analyse` do with their options."""

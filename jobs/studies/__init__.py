"""What `evaluate protocol` and `stimuli` do with their options."""

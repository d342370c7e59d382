"""A shot's verdict as one self-contained page, and the index of a batch."""

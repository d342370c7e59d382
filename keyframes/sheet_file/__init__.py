"""The curve file's grammar, in and out, with its schema."""

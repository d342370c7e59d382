"""A Ray Data pipeline over finished footage."""

"""All pictures; matplotlib lives here only."""

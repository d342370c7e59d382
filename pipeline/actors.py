"""Thin Ray actors and tasks around the pure functions of this package."""

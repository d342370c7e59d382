"""Weights from a hub, kept in one place and verified; and files known by their content."""

"""Exported graphs and built plans on disk: keys, entries, one builder at a time."""

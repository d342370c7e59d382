"""Curves and performances out: baked tables, foreign formats, and curve files."""

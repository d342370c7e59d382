"""Rows of foreign tables: their cells, when they happen, whom they are about, on which scale."""

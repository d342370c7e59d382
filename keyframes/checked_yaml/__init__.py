"""YAML whose every value knows its place, all its problems collected; knows no curve."""

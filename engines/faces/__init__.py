"""Geometry of a face, shared by trackers and estimators."""

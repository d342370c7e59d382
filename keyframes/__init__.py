"""Curves over facial action units: files in, per-frame AU deltas out. No ray, torch or av."""

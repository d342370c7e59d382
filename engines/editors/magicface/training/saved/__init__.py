"""Checkpoints in a run's folder: written, found again, gone on from."""

"""Pairs of one face for training: chosen by rules, cut out of footage, published as Parquet."""

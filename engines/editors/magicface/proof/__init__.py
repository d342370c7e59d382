"""MagicFace held against the official code's own tensors."""

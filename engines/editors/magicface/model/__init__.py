"""The networks of MagicFace, as torch modules."""

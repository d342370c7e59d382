"""MagicFace measured: the official way of computing beside ours."""

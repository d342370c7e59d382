"""Hands: where they are in a picture, so that an edit does not go over them."""

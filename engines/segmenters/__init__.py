"""What the pixels of a picture are: hair, skin, clothes, by networks that users bring."""

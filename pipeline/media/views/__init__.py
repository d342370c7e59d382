"""What engines are shown of footage that is no display picture, and the way back."""

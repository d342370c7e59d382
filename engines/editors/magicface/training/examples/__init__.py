"""What is trained on: pairs on disk, their latents, and every random number by which they come."""

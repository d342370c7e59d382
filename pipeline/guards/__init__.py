"""What keeps work from hanging or from filling a disk."""

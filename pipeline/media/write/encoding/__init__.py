"""What a piece is encoded with, and the encoding itself."""

"""What the curve commands do."""

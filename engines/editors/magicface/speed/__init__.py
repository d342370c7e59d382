"""The same networks, faster; and what they cost."""

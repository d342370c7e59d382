"""From frames and packets to a file that lost nothing."""

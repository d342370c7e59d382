"""Where networks run, and exactly how: devices, batches, transfers, LiteRT."""

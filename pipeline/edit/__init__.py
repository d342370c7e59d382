"""From a curve to changed samples."""

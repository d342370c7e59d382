"""The rig, and the inside of a mouth lent by other frames of the same shot."""

"""What coded packets say of their pictures: units, messages, parameter sets. Bytes only."""

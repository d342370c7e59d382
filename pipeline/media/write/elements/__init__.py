"""What compositors take beside an output: its matte and layer, and its frames as pictures."""

"""MagicFace: the AU-steered Stable Diffusion 1.5 editor, on stock diffusers networks."""

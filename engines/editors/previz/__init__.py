"""The preview editor: a warp of the crop on a CPU."""

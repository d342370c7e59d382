"""TensorRT: export, build, cache and run the MagicFace networks as engines."""

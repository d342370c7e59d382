"""TensorRT plans built on a cluster, once per kind of GPU."""

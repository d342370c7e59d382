"""The four networks on torch, onnxruntime or TensorRT: the editor cannot tell which."""

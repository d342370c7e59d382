"""Any torch network as a TensorRT plan: export, proof, build, store, run. It knows no network."""

"""The embedded AU estimator, on the mesh tracker's own points."""

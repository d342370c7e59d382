"""AU estimators: faces in, AU intensities out."""

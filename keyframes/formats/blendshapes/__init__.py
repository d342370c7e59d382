"""ARKit's blendshapes and the apps that record them, one file per format."""

"""The tracker on the networks of the face-alignment library."""

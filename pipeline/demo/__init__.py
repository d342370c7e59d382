"""The demo's clip: a face, what it does, and the file made of both."""

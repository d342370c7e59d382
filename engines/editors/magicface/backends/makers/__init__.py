"""How each backend makes the networks of one deployment."""

"""Reading, writing and muxing footage without losing anything. PyAV lives here only."""

"""Where weights lie: given, cached, packaged or fetched; verified by hash."""

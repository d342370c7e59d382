"""Stores of objects, by URL: what lies there, copies of it on this machine, publishing into it."""

"""Ray, started or joined; the machines it has."""

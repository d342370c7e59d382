"""Drawn people whose expressions are known: the ground truth of every measurement of faces.

Geometry and face units are MakeHuman's (CC0). They look drawn, on purpose nobody's likeness, and
their identity figures mean nothing across people; what they are good for is that a smile of 3 in
them *is* a smile of 3.
"""

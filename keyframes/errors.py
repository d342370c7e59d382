"""KeyframeError is the one base of everything that can be wrong with a curve.

Positional arguments only, so that every error survives pickling between processes.
"""


class KeyframeError(Exception):
    """A curve, preset or imported table that cannot be used; one line that says what and where."""

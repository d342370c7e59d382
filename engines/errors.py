"""EngineError is the one base of everything that can go wrong with weights and models.

    EngineError
    ├── UnknownEngineError     no engine of that name
    └── EngineUnavailableError the engine exists, but its packages, weights or device are not here

Positional arguments only, so that every error survives pickling between processes.
"""


class EngineError(Exception):
    """A tracker, estimator or editor that cannot do what was asked; one line a user can act on."""


class UnknownEngineError(EngineError):
    """No engine of that name; the message lists the known ones."""


class EngineUnavailableError(EngineError):
    """Packages, weights or a device are missing; the message says which and how to get them."""

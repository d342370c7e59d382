"""EngineError is the one base of everything that can go wrong with weights and models.

    EngineError
    ├── UnknownEngineError     no engine of that name
    ├── EngineUnavailableError the engine exists, but its packages, weights or device are not here
    └── NumericOverflowError   a number format was left; carries settings that are wide enough

Positional arguments only, so that every error survives pickling between processes.
"""


class EngineError(Exception):
    """A tracker, estimator or editor that cannot do what was asked; one line a user can act on."""


class UnknownEngineError(EngineError):
    """No engine of that name; the message lists the known ones."""


class EngineUnavailableError(EngineError):
    """Packages, weights or a device are missing; the message says which and how to get them."""


class NumericOverflowError(EngineError):
    """Numbers beyond what the networks' format holds; the same work may be done in a wider one.

    Args:
        line: for people.
        remedy: settings of the engine to change.
    """

    def __init__(self, line: str, remedy: dict[str, str]) -> None:
        super().__init__(line, remedy)

    def __str__(self) -> str:
        return self.args[0]

    @property
    def remedy(self) -> dict[str, str]:
        """Settings of the engine to change, by name."""
        return self.args[1]

"""What can go wrong between a torch network and a running plan.

EngineError
├── EngineUnavailableError  the backend, its library or the GPU is not here
├── PlanBuildError          an export, a build or a load failed; carries the library's reason
├── StalePlanError          a stored graph or plan that is not the one asked for, or is damaged
└── AccuracyError           a graph or a plan disagrees with the torch network
"""

from engines.errors import EngineError


class PlanBuildError(EngineError):
    """An export, a build or a load failed; the message ends in what the library logged."""


class StalePlanError(EngineError):
    """A stored graph or plan whose key, version or bytes are not what was asked for."""


class AccuracyError(EngineError):
    """A graph or a plan whose answer is further from torch than rounding explains."""

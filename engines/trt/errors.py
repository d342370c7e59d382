"""What can go wrong between an exported network and a running engine.

EngineError
├── EngineUnavailableError  the backend, its library or the GPU is not here
├── EngineBuildError        an export, a build or a load failed; carries the library's reason
├── StaleEngineError        a stored engine that is not the one asked for, or is damaged
└── ParityError             an exported graph or an engine disagrees with the torch network
"""

from engines.errors import EngineError


class EngineBuildError(EngineError):
    """An export, a build or a load failed; the message ends in what the library logged."""


class StaleEngineError(EngineError):
    """A stored engine whose key, version or bytes are not what was asked for."""


class ParityError(EngineError):
    """A graph or an engine whose answer is further from torch than its tolerance."""

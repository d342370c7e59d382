"""PipelineError is the one base of everything that can go wrong between frames.

    PipelineError
    ├── MediaError     a file that cannot be read, decoded, written or verified
    └── StorageError   a store of objects that cannot be reached, read or written
        └── UnreachableError   it gives no answer at all

Positional arguments only, so that every error survives pickling between processes.
"""


class PipelineError(Exception):
    """A stage that cannot do its work; one line a user can act on."""


class MediaError(PipelineError):
    """Footage that cannot be read or written faithfully; the line names the file."""


class StorageError(PipelineError):
    """A store that refuses, or what does not lie there; the line names the URL."""


class UnreachableError(StorageError):
    """A store that gives no answer: nor would it to the next question."""

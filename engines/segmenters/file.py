"""Which segmenter a run was given, as a plain value that travels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SegmenterFile:
    """A user's file, the same on every node: `path` finds it, `sha256` says that it is that one."""

    path: str
    sha256: str

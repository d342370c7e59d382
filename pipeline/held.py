"""What a row names, held on this machine while a stage works on it, from whatever store."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

from pipeline.source import at_hand
from pipeline.storage.urls import url_of

LOOK_AT_OUTPUTS = ("plot", "qa")
"""Stages after an output stands."""


@contextmanager
def files_at_hand(row: Any, stage: str) -> Generator[None]:
    """While the body runs, the source lies here, and the output too where the stage looks at it."""
    with ExitStack() as held:
        if url_of(row["source"]):
            held.enter_context(at_hand(row["source"], row["identity"], int(row["cache"])))
        if stage in LOOK_AT_OUTPUTS and url_of(row["output"]):
            held.enter_context(at_hand(row["output"], "", int(row["cache"])))
        yield

"""What every editor asks of its settings and of the crops it is given."""

from __future__ import annotations

from engines.errors import EngineError
from engines.interface import AlignedCrops
from keyframes.au import AUDelta


def check_settings(editor: str, size: int, batch: int, *, size_min: int) -> None:
    """Raises EngineError where the side of the crops or the crops per call are too small."""
    if size < size_min:
        raise EngineError(f"editor {editor!r}: got size {size}; expected at least {size_min}")
    if batch < 1:
        raise EngineError(f"editor {editor!r}: got batch {batch}; expected at least 1")


def check_crops(editor: str, crops: AlignedCrops, delta: AUDelta, size: int) -> None:
    """Raises EngineError unless crops have a side of `size` pixels and each has its delta."""
    side = crops.images.shape[1]
    if side != size:
        raise EngineError(f"editor {editor!r}: got crops of {side} px; expected {size} px")
    if len(delta) != len(crops):
        raise EngineError(
            f"editor {editor!r}: got {len(delta)} deltas for {len(crops)} crops; expected equal"
        )

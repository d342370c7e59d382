"""What every tracker asks of a frame."""

from __future__ import annotations

import numpy as np

from engines.errors import EngineError
from engines.interface import RGBFrame


def check_frame(frame: RGBFrame) -> None:
    """Raises EngineError unless the frame is `(H, W, 3)` uint8 with at least one pixel."""
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or 0 in frame.shape:
        raise EngineError(
            f"frame to track: got {frame.dtype} {frame.shape}; expected uint8 (H, W, 3)"
        )

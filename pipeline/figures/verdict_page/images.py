"""Pictures inside a page: JPEG as data addresses, the heat map of a change, whole frames."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.interface import RGBFrame
from pipeline.quality.shot import Still

FRAME_WIDTH = 720
THUMB = 112
HEAT_FULL = 24.0
"""8-bit levels of mean change that the heat map shows as its hottest."""


def data_address(jpeg: bytes) -> str:
    """What an `img` takes as its source."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def jpeg_of(image: RGBFrame, quality: int = 84) -> bytes:
    """A picture, at most FRAME_WIDTH wide, as JPEG."""
    scale = min(1.0, FRAME_WIDTH / image.shape[1])
    if scale < 1.0:
        size = (FRAME_WIDTH, max(1, round(image.shape[0] * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def heat_jpeg(heat: NDArray[np.float32], face: RGBFrame | None) -> bytes:
    """Where the face was changed, over a pale picture of it: cold is nothing, hot HEAT_FULL."""
    level = np.clip(heat / HEAT_FULL, 0.0, 1.0)
    hot = cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    under = np.full((*heat.shape, 3), 40, np.uint8)
    if face is not None:
        small = cv2.resize(face, heat.shape[::-1], interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        under = np.repeat((grey[..., None] * 0.6).astype(np.uint8), 3, axis=2)
    weight = np.sqrt(level)[..., None]
    mixed = under + weight * (hot.astype(np.float32) - under)
    return jpeg_of(np.asarray(np.rint(mixed), np.uint8))


def picture_of(jpeg: bytes) -> RGBFrame:
    """A JPEG's pixels."""
    bgr: Any = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return np.ascontiguousarray(bgr[..., ::-1])


def thumb_of(stills: Sequence[Still], frame: int) -> str | None:
    """Before and after side by side at the moment nearest to a frame, for an index; None without a
    face."""
    if not stills:
        return None
    nearest = min(stills, key=lambda still: abs(still.frame - frame))
    pair = [
        cv2.resize(picture_of(jpeg), (THUMB, THUMB), interpolation=cv2.INTER_AREA)
        for jpeg in (nearest.before, nearest.after)
    ]
    return data_address(jpeg_of(np.asarray(np.concatenate(pair, axis=1), np.uint8)))

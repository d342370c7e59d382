"""A face as a pair shows it, and two of them as a row of Parquet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.magicface.conditioning.background import Conditioner, dotted

LEAST_CUT = 256
"""Faces are cut out at this size at least and then made smaller, or small crops would alias."""


@dataclass(frozen=True)
class CropSettings:
    """How pairs are cut out.

    Attributes:
        size: side of the pictures, pixels.
        mask: `person` or `face`, what the background loses.
        dots: whose jaw it shows: the `target`'s, as in the paper, or the `source`'s, as where the
            model is used.
    """

    size: int = 512
    mask: str = "person"
    dots: str = "target"

    @property
    def cut_size(self) -> int:
        """Side at which faces are cut out and warped."""
        return max(self.size, LEAST_CUT)


@dataclass(frozen=True)
class Seen:
    """A face, cut out.

    Attributes:
        large, large_px: `(L, L, 3)` uint8 RGB and its `(68, 2)` landmarks, L = `cut_size`.
        image, landmarks_px: the same at the pairs' size.
        conditioner: makes the mask.
    """

    large: NDArray[np.uint8]
    large_px: NDArray[np.float32]
    image: NDArray[np.uint8]
    landmarks_px: NDArray[np.float32]
    conditioner: Conditioner

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """What the background loses; most faces that are looked at never need it.

        It is looked for in the large picture: of a small one the segmenter makes nothing.
        """
        found = self.conditioner.mask(self.large, self.large_px)[0]
        if len(self.large) == len(self.image):
            return found
        side = (len(self.image), len(self.image))
        share = cv2.resize(found.astype(np.float32), side, interpolation=cv2.INTER_AREA)
        return np.asarray(share >= 0.5, np.bool_)


def seen(
    large: NDArray[np.uint8],
    large_px: NDArray[np.float32],
    crops: CropSettings,
    conditioner: Conditioner,
) -> Seen:
    """What was cut out at `cut_size`, at the pairs' size as well."""
    image, points = large, large_px.astype(np.float32)
    if len(large) != crops.size:
        side = (crops.size, crops.size)
        image = np.asarray(cv2.resize(large, side, interpolation=cv2.INTER_AREA), np.uint8)
        share = crops.size / len(large)
        points = ((large_px + 0.5) * share - 0.5).astype(np.float32)
    return Seen(large, large_px.astype(np.float32), image, points, conditioner)


def pictured(one: Seen, other: Seen, dots: str) -> dict[str, Any]:
    """Columns of a row that are pictures and points: from the source to the target.

    Args:
        dots: as `CropSettings` has it.
    """
    shown = other if dots == "target" else one
    return {
        "source": png(one.image),
        "target": png(other.image),
        "background": png(dotted(other.image, other.mask, shown.landmarks_px)),
        "mask": png(other.mask.astype(np.uint8) * 255),
        "source_landmarks": one.landmarks_px.reshape(-1),
        "target_landmarks": other.landmarks_px.reshape(-1),
    }


def png(image: NDArray[np.uint8]) -> bytes:
    """A picture, RGB or grey, as a file's bytes."""
    coded = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", coded)[1].tobytes()

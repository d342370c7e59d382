"""An edit as matte and layer: plate + matte · layer = output, in R'G'B' of 0…1.

What the paste adds to a plate is a difference that the editor's mask has weighted already. The
matte is that weight where it lies in the plate, the layer the difference divided by the matte as it
is written, so their product is what was added, whatever the matte was rounded to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Patch:
    """What one paste added to a rectangle of its frame.

    Attributes:
        x, y: of the rectangle's first luma sample in the decoded frame.
        change: `(h, w, 3)` float32, R'G'B', 1.0 = from black to white.
        weight: `(h, w)` float32 0…1, the mask; 0 where nothing may change.
    """

    x: int
    y: int
    change: Array
    weight: Array

    @property
    def end(self) -> tuple[int, int]:
        """x and y past the rectangle."""
        height, width = self.weight.shape
        return self.x + width, self.y + height


@dataclass(frozen=True)
class Layer:
    """All edits of one frame within the rectangle that holds them.

    Attributes:
        rows, columns: of the rectangle.
        matte: `(h, w)` float32 0…1.
        colour: `(h, w, 3)` float32 −1…1, 0 where the matte is 0.
    """

    rows: slice
    columns: slice
    matte: Array
    colour: Array


def layer_of(patches: Sequence[Patch], rounded: Callable[[Array], Array]) -> Layer | None:
    """Matte and layer of a frame; None where nothing was pasted.

    Where faces overlap their weights add up, as what they change does.

    Args:
        rounded: the matte as the file will hold it.
    """
    if not patches:
        return None
    left, top = min(p.x for p in patches), min(p.y for p in patches)
    right, bottom = max(p.end[0] for p in patches), max(p.end[1] for p in patches)
    matte = np.zeros((bottom - top, right - left), np.float32)
    change = np.zeros((*matte.shape, 3), np.float32)
    for patch in patches:
        height, width = patch.weight.shape
        y, x = patch.y - top, patch.x - left
        at = slice(y, y + height), slice(x, x + width)
        matte[at] += patch.weight
        change[at] += np.where(patch.weight[..., None] > 0, patch.change, 0)
    matte = rounded(np.minimum(matte, 1))
    colour = np.zeros_like(change)
    np.divide(change, matte[..., None], out=colour, where=matte[..., None] > 0)
    return Layer(slice(top, bottom), slice(left, right), matte, np.clip(colour, -1, 1))

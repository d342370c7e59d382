"""One crop, edited by the rig: where its points go, the warp, and what shows in an opened mouth."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.colours import mouth_colours
from engines.editors.rig.face import (
    FaceFrame,
    control_points,
    displacements,
    face_frame,
    torn_lips,
)
from engines.editors.rig.lids import close_lids
from engines.editors.rig.lips import Lips, inner_lips, lips_box_px
from engines.editors.rig.map import PixelMap, draw_map
from engines.editors.rig.mouth import MouthWarp, open_mouth
from engines.editors.rig.own_inside import parting
from engines.editors.rig.painted import painted_inside
from engines.editors.rig.warp import fit_warp

Image = NDArray[np.uint8] | NDArray[np.uint16]
Shown = tuple[NDArray[np.float32], NDArray[np.float32]]
Inside = Callable[[FaceFrame, Lips, Lips, NDArray[np.float64]], Shown | None]
"""What shows between lips: of the frame, the lips before and after, and `(h, w, 2)` crop pixels
→ `(h, w, 3)` on the crop's scale and `(h, w)` how much it counts against the paint, 0…1; or None.
"""


Over = Callable[[FaceFrame, NDArray[np.float64], Image, NDArray[np.float32]], None]
"""What is drawn over a face that is done: of the frame, the `(P, 2)` points after the edit in face
units, the crop and its mask, both changed in place."""
PAINTED = 0.05
"""Of the box around the lips: less of it painted is nothing to tell."""


def draw_edit(
    image: Image,
    landmarks_px: NDArray[np.float32],
    pose: NDArray[np.float32] | None,
    delta: NDArray[np.float32],
    edited: Image,
    mask: NDArray[np.float32],
    inside: Inside | None = None,
    lids: NDArray[np.float32] | None = None,
    over: Over | None = None,
    field: NDArray[np.float64] | None = None,
) -> bool:
    """Draws one edited crop and its mask into `edited` and `mask`, where anything moves.

    Args:
        lids: `(2,)` −10…10 in the order of LID_NAMES: how far eyes are to be shut, 5 = all the way.
        inside: asked where a mouth opens; without it, and where it gives None, it is painted there.
        over: draws more over what is drawn.
        field: `(14, P, 3)` the person's own units (person.py); without, the rig's.

    Returns:
        Whether a good part of what shows between the lips was painted.
    """
    frame = face_frame(landmarks_px, pose)
    points = control_points(frame, landmarks_px)
    opened = None if lids is None else np.minimum(lids, 0.0)  # what shuts is a layer of its own
    moved = displacements(frame, points, delta, len(image), opened, field)
    torn = torn_lips(points, moved)
    drawn = draw_map(fit_warp(frame, torn, moved, len(image)))
    after = points + moved
    painted = drawn is not None and _draw_warp(
        frame, points, torn, after, drawn, image, edited, mask, inside
    )
    if lids is not None and (lids > 0.0).any():
        close_lids(frame, after, lids, image, partial(_shown_from, drawn), edited, mask)
    if over is not None:
        over(frame, after, edited, mask)
    return painted


def _shown_from(drawn: PixelMap | None, box: tuple[slice, slice]) -> NDArray[np.float32]:
    """`(h, w, 2)` where the pixels of a box come from, outside the warp from where they are."""
    y, x = np.mgrid[box].astype(np.float32)
    own = np.stack([x, y], axis=-1)
    if drawn is None:
        return own
    height, width = drawn.mask.shape
    top, bottom = max(box[0].start, drawn.y0), min(box[0].stop, drawn.y0 + height)
    left, right = max(box[1].start, drawn.x0), min(box[1].stop, drawn.x0 + width)
    if top < bottom and left < right:
        inner = np.s_[
            top - box[0].start : bottom - box[0].start, left - box[1].start : right - box[1].start
        ]
        own[inner] = drawn.from_px[
            top - drawn.y0 : bottom - drawn.y0, left - drawn.x0 : right - drawn.x0
        ]
    return own


def _draw_warp(
    frame: FaceFrame,
    points: NDArray[np.float64],
    torn: NDArray[np.float64],
    after: NDArray[np.float64],
    drawn: PixelMap,
    image: Image,
    edited: Image,
    mask: NDArray[np.float32],
    inside: Inside | None,
) -> bool:
    """The warp and what it opens; whether a good part of what shows between the lips is painted."""
    lips = drawn.part(lips_box_px(frame, after))
    pixels = drawn.pixels(lips)
    before, now = inner_lips(points), inner_lips(after)
    colours = mouth_colours(frame, points, image)
    from_px = drawn.from_px[lips]
    mouth = open_mouth(frame, points, torn, after, pixels, from_px, parting(colours))
    drawn.from_px[lips] = mouth.from_px
    nothing: Any = None  # the map's second half lies in its first; OpenCV's stubs forget that
    edited[drawn.window] = cv2.remap(
        image, drawn.from_px, nothing, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    mask[drawn.window] = drawn.mask
    if not mouth.darkness.any():
        return False
    paint = painted_inside(frame, colours, before, now, pixels, mouth.shade, image)
    given = inside and inside(frame, before, now, pixels)
    if given:
        shown, weight = given
        paint = (paint + weight[..., None] * (shown - paint)).astype(np.float32)
    _fill(edited[drawn.window][lips], mouth, paint)
    return bool((mouth.darkness > 0.5).mean() > PAINTED)


def _fill(lips: Image, mouth: MouthWarp, paint: NDArray[np.float32]) -> None:
    filled = np.rint(lips + mouth.darkness[..., None] * (paint - lips))
    lips[:] = np.clip(filled, 0, np.iinfo(lips.dtype).max).astype(lips.dtype)

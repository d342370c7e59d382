"""Makes pipeline/demo/at_rest.png: the demo's face at rest, out of the smiling photograph.

    PYTHONPATH=. python docs/demo/take_back_the_smile.py

The teeth are cut away (what lies below the upper lip moves up by the gap at its column), corners
and cheeks go back by the rig, and the folds beside nose and mouth are evened out.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.previz.editor import PrevizEditor
from engines.interface import AlignedCrops, Face
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AU_COLUMN, AUDelta
from pipeline.demo.face import REST_BOX, SCALE, enlarged, photograph

Picture = NDArray[np.uint8]
UPPER = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]
LOWER = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
FOLDS = (
    [129, 203, 206, 216, 212, 202], [358, 423, 426, 436, 432, 422], [50, 205], [280, 425],
    [117, 118], [346, 347],
)  # fmt: skip
LIPS, NOSE = [61, 40, 37, 0, 267, 270, 291, 405, 17, 181], [129, 358, 2, 4, 49, 279, 98, 327]
BACK = {12: -3.3, 6: -3.0}
CUT = (225, 65, 450)
"""Left, top and side of the working square, enlarged pixels."""
OUT = Path(__file__).parents[2] / "pipeline" / "demo" / "at_rest.png"


def smoothstep(value: NDArray[np.floating]) -> NDArray[np.floating]:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(value, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def shut(picture: Picture, mesh: NDArray[np.float32]) -> Picture:
    """The mouth shut: its inside cut away, the jaw following, a soft seam between the lips."""
    y, x = np.mgrid[: len(picture), : len(picture)].astype(np.float32)
    across = np.arange(len(picture))
    upper, lower = mesh[UPPER, :2], mesh[LOWER, :2]
    top, bottom = (np.interp(across, p[:, 0], p[:, 1]) for p in (upper, lower))
    left, right = upper[0, 0], upper[-1, 0]
    within = (across > left) & (across < right)
    round_off = np.sin(np.pi * np.clip((across - left) / (right - left), 0.0, 1.0))
    gap = np.where(within, np.maximum(bottom - top, 0.0) + round_off, 0.0).astype(np.float32)
    gap = cv2.GaussianBlur(gap[None], (0, 0), 3)[0] * within
    jaw = gap.max() * np.exp(-0.5 * ((x - mesh[152, 0]) / 75.0) ** 2)
    line = np.where(within, top, mesh[61, 1])[None]
    chin = smoothstep((y - line) / 35.0)
    up = (gap[None] * (1.0 - chin) + jaw * chin) * (1 - smoothstep((y - mesh[152, 1] + 10) / 45.0))
    moved = cv2.remap(
        picture, x, y + np.where(y > line, up, 0.0).astype(np.float32), cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    ends = np.clip(np.minimum(x - left, right - x) / 7.0, 0.0, 1.0)
    seam = 0.34 * np.exp(-(((y - line) / 1.1) ** 2)) * ends
    return np.asarray(np.rint(moved * (1.0 - seam[..., None])), np.uint8)


def relaxed(picture: Picture, face: Face) -> Picture:
    """Corners and cheeks taken back by the rig."""
    values = np.zeros((1, len(AU_COLUMN)), np.float32)
    for number, units in BACK.items():
        values[0, AU_COLUMN[number]] = units
    pose = np.array([[face.yaw, face.pitch, face.roll]], np.float32)
    crops = AlignedCrops(picture[None], face.landmarks_px[None], np.zeros(1, np.int64), pose)
    return PrevizEditor(len(picture)).edit(crops, AUDelta(values), seed=0).edited[0]


def evened(picture: Picture, mesh: NDArray[np.float32]) -> Picture:
    """Folds evened out: what is coarser than pores becomes what the skin around is."""
    folds, parts = (np.zeros(picture.shape[:2], np.float32) for _ in range(2))
    for path in FOLDS:
        cv2.polylines(folds, [np.rint(mesh[path, :2]).astype(np.int32)], False, 1.0, 23)
    for hull, grow in ((LIPS, 9), (NOSE, 5)):
        part = np.zeros_like(parts)
        outline = cv2.convexHull(mesh[hull, :2].astype(np.float32)).astype(np.int32)
        cv2.fillConvexPoly(part, outline, 1.0)
        parts = np.maximum(parts, cv2.dilate(part, np.ones((grow, grow))))
    share = cv2.GaussianBlur(folds, (0, 0), 7) * (1.0 - cv2.GaussianBlur(parts, (0, 0), 2.5))
    share = np.clip(1.2 * share, 0.0, 1.0)
    coarse = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.5)
    middle = np.median(coarse[share > 0.5][:, 0])
    skin = (1.0 - parts) * (np.abs(coarse[..., 0] - middle) < 60)
    weight = cv2.GaussianBlur(skin, (0, 0), 13)[..., None] + 1e-3
    around = cv2.GaussianBlur(coarse * skin[..., None], (0, 0), 13) / weight
    even = picture + 0.9 * share[..., None] * (around - coarse)
    return np.asarray(np.clip(np.rint(even), 0, 255), np.uint8)


def main() -> None:
    """Writes the picture, and prints where the mouth is in it."""
    tracker = MeshTracker()
    left, top, side = CUT
    smiling = enlarged(photograph())[top : top + side, left : left + side].copy()
    ((face,),) = tracker.track([smiling])
    quiet = shut(smiling, face.mesh_px)
    ((face,),) = tracker.track([quiet])
    quiet = relaxed(quiet, face)
    ((face,),) = tracker.track([quiet])
    quiet = evened(quiet, face.mesh_px)
    x0, y0, x1, y1 = (SCALE * edge for edge in REST_BOX)
    patch = quiet[y0 - top : y1 - top, x0 - left : x1 - left]
    cv2.imwrite(str(OUT), patch[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    ((face,),) = tracker.track([quiet])
    points = (face.mesh_px[[78, 308, 13, 14, 61, 291, 152, 17, 0], :2] + [left, top]) / SCALE
    print(OUT, patch.shape, "photograph pixels of 78 308 13 14 61 291 152 17 0:", points.round(1))


if __name__ == "__main__":
    main()

"""478 mesh points and 52 blendshapes of one face in a turned region of a frame."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engines.devices.litert import LiteRTModel
from engines.interface import RGBFrame
from engines.trackers.mesh.detector import Detection
from engines.trackers.mesh.sampling import Region, sample

SIDE = 256
_GROWTH = 1.5  # of a face's box, so that the whole head is in view

# The mesh points the blendshape model reads, as in MediaPipe's face_blendshapes_graph.
# fmt: off
BLENDSHAPE_POINTS = np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66,
    67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144,
    145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173,
    176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284,
    285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332,
    334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473,
    474, 475, 476, 477,
])
# fmt: on


def region_from_detection(detection: Detection) -> Region:
    """Box grown by half, each side for itself, turned so that the eyes are level."""
    x0, y0, x1, y1 = detection.box
    (ax, ay), (bx, by) = detection.keypoints[:2]
    return Region(
        (x0 + x1) / 2,
        (y0 + y1) / 2,
        (x1 - x0) * _GROWTH,
        (y1 - y0) * _GROWTH,
        math.atan2(by - ay, bx - ax),
    )


def region_from_mesh(mesh_px: NDArray[np.float32]) -> Region:
    """A square around a face found before, turned so that its outer eye corners are level."""
    xy = mesh_px[:, :2].astype(np.float64)
    low, high = xy.min(axis=0), xy.max(axis=0)
    side = float((high - low).max()) * _GROWTH
    cx, cy = (low + high) / 2
    dx, dy = xy[263] - xy[33]
    return Region(float(cx), float(cy), side, side, math.atan2(dy, dx))


class LandmarkModel:
    """The face mesh, one region at a time."""

    def __init__(self, model: bytes, *, threads: int) -> None:
        self._model = LiteRTModel(model, threads=threads)

    def __call__(self, frame: RGBFrame, region: Region) -> tuple[NDArray[np.float32], float]:
        """`(478, 3)` float32 frame pixels (z scaled by the frame's width), and presence 0…1."""
        pixels = sample(frame, region, SIDE, replicate=True)
        out = self._model(pixels.astype(np.float32)[None] / np.float32(255.0))
        raw = out["Identity"].reshape(478, 3).astype(np.float64) / SIDE
        presence = 1.0 / (1.0 + math.exp(-float(out["Identity_1"].item())))
        height, width = frame.shape[:2]
        cos, sin = math.cos(region.angle), math.sin(region.angle)
        # W/H is MediaPipe's own; without it a portrait frame's depth is off by 3.7 %.
        depth = raw[:, 2] * region.width * math.hypot(cos, sin * width / height)
        mesh = np.column_stack([region.to_frame(raw[:, :2]), depth])
        return mesh.astype(np.float32), presence


class BlendshapeModel:
    """52 blendshapes from mesh points."""

    def __init__(self, model: bytes, *, threads: int) -> None:
        self._model = LiteRTModel(model, threads=threads)

    def __call__(self, mesh_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """`(52,)` float32 0…1 in the order of BLENDSHAPE_NAMES."""
        (values,) = self._model(mesh_px[None, BLENDSHAPE_POINTS, :2]).values()
        return values.reshape(52)


# fmt: off
BLENDSHAPE_NAMES: tuple[str, ...] = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft",
    "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft",
    "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft",
    "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen",
    "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight",
)
# fmt: on

"""The head's mesh, what makes it another person, and what makes it move.

Source: MakeHuman's base mesh, targets and face units (CC0), packed by
docs/evaluation/pack_heads.py.
Axes: x to the head's left (the viewer's right), y up, z to the viewer; units are MakeHuman's (dm).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_ORDER, INTENSITY_MAX
from pipeline.errors import PipelineError

SKIN, EYE_RIGHT_OF_VIEWER, EYE_LEFT_OF_VIEWER, TEETH = 0, 1, 2, 3
"""Kinds of triangles."""

UNITS_OF_AU: Mapping[int, Mapping[str, float]] = {
    1: {"browInnerUp": 1.0},
    2: {"browOuterUpLeft": 1.0, "browOuterUpRight": 1.0},
    4: {"browDownLeft": 1.0, "browDownRight": 1.0},
    5: {"eyeWideLeft": 1.0, "eyeWideRight": 1.0},
    6: {"cheekSquintLeft": 1.0, "cheekSquintRight": 1.0},
    9: {"noseSneerLeft": 1.0, "noseSneerRight": 1.0},
    12: {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0},
    15: {"mouthFrownLeft": 1.0, "mouthFrownRight": 1.0},
    17: {"mouthShrugLower": 1.0},
    20: {"mouthStretchLeft": 1.0, "mouthStretchRight": 1.0},
    25: {
        "mouthLowerDownLeft": 1.0,
        "mouthLowerDownRight": 1.0,
        "mouthUpperUpLeft": 1.0,
        "mouthUpperUpRight": 1.0,
    },
    26: {"jawOpen": 0.6},
}
"""What an action unit of intensity 5 is in face units; intensities between are proportional."""


@dataclass(frozen=True)
class HeadMesh:
    """One topology for everybody.

    Attributes:
        vertices: `(V, 3)` float64, MakeHuman's base.
        triangles: `(T, 3)` int; kinds: `(T,)` uint8, SKIN … TEETH.
        targets: name → vertex numbers `(n,)` and offsets `(n, 3)` of its full amount.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.intp]
    kinds: NDArray[np.uint8]
    targets: Mapping[str, tuple[NDArray[np.intp], NDArray[np.float64]]]

    def moved(
        self, vertices: NDArray[np.float64], amounts: Mapping[str, float]
    ) -> NDArray[np.float64]:
        """The vertices with targets added, each by its amount.

        Raises:
            PipelineError: no target of that name.
        """
        moved = vertices.copy()
        for name, amount in amounts.items():
            if name not in self.targets:
                raise PipelineError(f"no face unit or target {name!r} in the packaged heads")
            index, offset = self.targets[name]
            moved[index] += amount * offset
        return moved

    def part(self, kind: int) -> NDArray[np.intp]:
        """Vertex numbers of a kind of triangles."""
        return np.unique(self.triangles[self.kinds == kind])


@cache
def head_mesh() -> HeadMesh:
    """The packaged mesh, read once per process."""
    content = (resources.files("pipeline.heads") / "heads.npz").read_bytes()
    with np.load(BytesIO(content)) as stored:
        parts = {name: stored[name] for name in stored.files}
    ends = zip(parts["starts"][:-1], parts["starts"][1:], strict=True)
    targets = {
        str(name): (
            parts["index"][a:b].astype(np.intp),
            parts["offsets"][a:b].astype(np.float64),
        )
        for name, (a, b) in zip(parts["names"], ends, strict=True)
    }
    return HeadMesh(
        parts["vertices"].astype(np.float64),
        parts["triangles"].astype(np.intp),
        parts["kinds"],
        targets,
    )


def face_units(intensity: NDArray[np.floating]) -> dict[str, float]:
    """Amounts of face units for `(12,)` intensities in AU_ORDER; negative ones move backwards."""
    amounts: dict[str, float] = {}
    for au, value in zip(AU_ORDER, intensity, strict=True):
        for name, full in UNITS_OF_AU[au].items():
            amounts[name] = amounts.get(name, 0.0) + full * float(value) / INTENSITY_MAX
    return amounts

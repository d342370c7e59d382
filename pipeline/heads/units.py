"""Face units carried over to the tracker's mesh: how far each of its points goes in space.

A landmark of a picture of a head at rest is moved as the skin beneath it is. The answer is in the
head's own axes, so that it is right at any pose; engines/editors/rig/units.py reads what
`write_units` writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.faces.mirror import mesh_mirror
from engines.interface import FaceTracker
from keyframes.au import AU_NAMES, AU_ORDER
from pipeline.errors import PipelineError
from pipeline.heads.mesh import SKIN, UNITS_OF_AU, head_mesh
from pipeline.heads.people import Person, person
from pipeline.heads.raster import rasterise
from pipeline.heads.render import View, project, render_person

LIDS: Mapping[str, Mapping[str, float]] = {
    "AU43R": {"eyeBlinkRight": 1.0},
    "AU43L": {"eyeBlinkLeft": 1.0},
}
"""Shut eyes, a side each; R is the head's right, at the left of its picture."""
MESH_POINTS = 468
PEOPLE = 6
_VIEW = View(size=768, zoom=1.2)

# fmt: off
UPPER_LIP = (185, 40, 39, 37, 0, 267, 269, 270, 409, 191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_LIP = (146, 91, 181, 84, 17, 314, 405, 321, 375, 95, 88, 178, 87, 14, 317, 402, 318, 324)
UPPER_LIDS = (246, 161, 160, 159, 158, 157, 173, 466, 388, 387, 386, 385, 384, 398)
LOWER_LIDS = (7, 163, 144, 145, 153, 154, 155, 249, 390, 373, 374, 380, 381, 382)
# fmt: on


def units_on_mesh(tracker: FaceTracker) -> dict[str, NDArray[np.float64]]:
    """`AU1 … AU26, AU43R, AU43L` → `(468, 3)` what intensity 5 moves, mean of six people.

    In outer-eye distances of the face seen from the front; x to the viewer's right, y up, z to the
    viewer. The two sides of a face are made each other's mirror image.

    Raises:
        PipelineError: the tracker finds no face with a mesh in a picture of a head.
    """
    each = [units_of_person(person(number), tracker) for number in range(PEOPLE)]
    mean = {name: np.mean([one[name] for one in each], axis=0) for name in each[0]}
    twins = {**{name: name for name in mean}, "AU43R": "AU43L", "AU43L": "AU43R"}
    return {name: (mean[name] + _mirrored(mean[twins[name]])) / 2 for name in mean}


def units_of_person(one: Person, tracker: FaceTracker) -> dict[str, NDArray[np.float64]]:
    """The same of one head, its sides as they are.

    Raises:
        PipelineError: as `units_on_mesh`.
    """
    faces = tracker.track([render_person(one, view=_VIEW)])[0]
    if not faces or faces[0].mesh_px is None:
        raise PipelineError("face units: the tracker finds no face with a mesh on a drawn head")
    mesh_px = faces[0].mesh_px[:MESH_POINTS, :2].astype(np.float64)
    vertices, share = skin_beneath(one, mesh_px, _VIEW)
    head = head_mesh()
    still = np.zeros_like(head.vertices)
    weights = {**dict(zip(AU_NAMES, (UNITS_OF_AU[n] for n in AU_ORDER), strict=True)), **LIDS}
    eyes = np.linalg.norm(mesh_px[263] - mesh_px[33]) / _pixels_per_unit(one)
    moved = {name: head.moved(still, amounts) / eyes for name, amounts in weights.items()}
    return {name: np.einsum("pk,pkc->pc", share, m[vertices]) for name, m in moved.items()}


def _pixels_per_unit(one: Person) -> float:
    """Pixels of a step to the right beside the eyes."""
    step = np.array([0.01, 0.0, 0.0])
    before, after = (project(one, one.neutral + move, _VIEW)[0] for move in (0.0 * step, step))
    eyes = head_mesh().part(1)
    return float((after - before)[eyes, 0].mean() / step[0])


def skin_beneath(
    one: Person, mesh_px: NDArray[np.float64], view: View
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """`(468, 3)` corners of the skin's triangle seen at each point, and what each counts.

    At a slit (lips, lids) the picture does not say to which side a point belongs; its name does.

    Args:
        mesh_px: `(468, 2)` pixels of the person at rest in that view.
    """
    head = head_mesh()
    points_px, turned = project(one, one.neutral, view)
    triangles = head.triangles[head.kinds == SKIN]
    a, b, c = (turned[triangles[:, corner]] for corner in range(3))
    triangles = triangles[np.cross(b - a, c - a)[:, 2] > 0]
    seen = rasterise(points_px[triangles], turned[triangles][..., 2], (view.size, view.size))
    corners = triangles[seen.triangle]
    sides = _sides()
    picked = np.zeros(len(mesh_px), np.intp)
    for point, (x, y) in enumerate(mesh_px):
        away = np.hypot(seen.column - x, seen.row - y)
        allowed = next((of for points, of in sides.items() if point in points), None)
        if allowed is not None:
            away = np.where(allowed[corners].all(axis=1), away, np.inf)
        picked[point] = away.argmin()
    return corners[picked], seen.weights[picked]


def _sides() -> dict[tuple[int, ...], NDArray[np.bool_]]:
    """Mesh points at a slit → the vertices of their side of it."""
    head = head_mesh()
    still = np.zeros_like(head.vertices)
    jaw = np.linalg.norm(head.moved(still, {"jawOpen": 1.0}), axis=1)
    lids = np.linalg.norm(head.moved(still, {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}), axis=1)
    return {
        UPPER_LIP: jaw < 0.3 * jaw.max(),
        LOWER_LIP: jaw > 0.5 * jaw.max(),
        UPPER_LIDS: lids > 0.3 * lids.max(),
        LOWER_LIDS: lids < 0.3 * lids.max(),
    }


def _mirrored(moved: NDArray[np.float64]) -> NDArray[np.float64]:
    return moved[mesh_mirror()] * [-1.0, 1.0, 1.0]


def write_units(path: Path, units: dict[str, NDArray[np.float64]]) -> None:
    """Half floats, to .0001 of a face's width."""
    halves: dict[str, Any] = {name: moved.astype(np.float16) for name, moved in units.items()}
    np.savez_compressed(path, **halves)

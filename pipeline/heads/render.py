"""A person as a camera sees them: numpy only, about a quarter of a second at 512²."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.interface import RGBFrame
from pipeline.heads.mesh import EYE_LEFT_OF_VIEWER, EYE_RIGHT_OF_VIEWER, SKIN, TEETH, head_mesh
from pipeline.heads.people import Person
from pipeline.heads.raster import rasterise

Floats = NDArray[np.float64]
_DISTANCE = 22.0
"""Of the camera, in distances between the eyes' centres."""
_EYES_PER_SIDE = 0.165
_EYES_AT = (0.5, 0.44)


@dataclass(frozen=True)
class View:
    """Where the camera stands.

    Attributes:
        size: side of the square picture, pixels.
        yaw, pitch, roll: of the head, degrees, with the signs of engines/interface.py.
        zoom: 1 makes the eyes' centres 0.165 of the side apart.
        shift_px: of the whole head, right and down.
    """

    size: int = 512
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    zoom: float = 1.0
    shift_px: tuple[float, float] = (0.0, 0.0)


FRONTAL = View()


def _rotation(view: View) -> Floats:
    yaw, pitch, roll = np.radians([view.yaw, -view.pitch, -view.roll])
    cos, sin = np.cos, np.sin
    about_y = np.array([[cos(yaw), 0, sin(yaw)], [0, 1, 0], [-sin(yaw), 0, cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, cos(pitch), -sin(pitch)], [0, sin(pitch), cos(pitch)]])
    about_z = np.array([[cos(roll), -sin(roll), 0], [sin(roll), cos(roll), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def _face_frame(neutral: Floats) -> tuple[Floats, float]:
    """Between the eyes' centres, and how far they are apart."""
    mesh = head_mesh()
    one, other = (
        neutral[mesh.part(kind)].mean(axis=0) for kind in (EYE_LEFT_OF_VIEWER, EYE_RIGHT_OF_VIEWER)
    )
    return (one + other) / 2, float(np.linalg.norm(one - other))


def project(person: Person, vertices: Floats, view: View) -> tuple[Floats, Floats]:
    """`(V, 2)` pixels and `(V, 3)` head coordinates turned to the camera, eye distance = 1."""
    origin, apart = _face_frame(person.neutral)
    turned = (vertices - origin) / apart @ _rotation(view).T
    scale = _EYES_PER_SIDE * view.size * view.zoom * _DISTANCE / (_DISTANCE - turned[:, 2])
    x = view.size * _EYES_AT[0] - 0.5 + view.shift_px[0] + turned[:, 0] * scale
    y = view.size * _EYES_AT[1] - 0.5 + view.shift_px[1] - turned[:, 1] * scale
    return np.column_stack([x, y]), turned


def render_person(
    person: Person, intensity: NDArray[np.floating] | None = None, view: View = FRONTAL
) -> RGBFrame:
    """`(size, size, 3)` uint8 RGB of a person with `(12,)` intensities; None is the face at rest.

    Hair, brows, lips and irises are painted on the skin by place; there is none that stands off.
    """
    neutral = person.neutral
    vertices = neutral if intensity is None else person.at(intensity)
    return render_vertices(person, vertices, view, mesh_rest=neutral)


def render_vertices(person: Person, vertices: Floats, view: View, mesh_rest: Floats) -> RGBFrame:
    """The same of any `(V, 3)` vertices; `mesh_rest` says where on the face paint belongs."""
    mesh = head_mesh()
    points_px, turned = project(person, vertices, view)
    origin, apart = _face_frame(person.neutral)
    rest = (mesh_rest - origin) / apart
    facing = np.cross(
        turned[mesh.triangles[:, 1]] - turned[mesh.triangles[:, 0]],
        turned[mesh.triangles[:, 2]] - turned[mesh.triangles[:, 0]],
    )
    seen = np.flatnonzero(facing[:, 2] > 0)
    corners = mesh.triangles[seen]
    pieces = rasterise(points_px[corners], turned[corners][..., 2], (view.size, view.size))
    vertex = corners[pieces.triangle]
    normal = _blend(_normals(mesh.triangles, facing, len(vertices))[vertex], pieces.weights)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    paint = _painted(
        person, mesh.kinds[seen][pieces.triangle], _blend(rest[vertex], pieces.weights)
    )
    picture = _wall(person, view.size)
    is_skin = mesh.kinds[seen][pieces.triangle] == SKIN
    picture[pieces.row, pieces.column] = _lit(person, paint, normal, is_skin)
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)


def _blend(corners: Floats, weights: Floats) -> Floats:
    return np.einsum("pkd,pk->pd", corners, weights)


def _normals(triangles: NDArray[np.intp], facing: Floats, count: int) -> Floats:
    normals = np.zeros((count, 3))
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], facing)
    return normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12)


def _wall(person: Person, size: int) -> Floats:
    shade = np.linspace(1.1, 0.85, size)[:, None, None]
    return np.array(person.backdrop) * np.broadcast_to(shade, (size, size, 1))


def _lit(person: Person, paint: Floats, normal: Floats, is_skin: NDArray[np.bool_]) -> Floats:
    lamp = np.array(person.light) / np.linalg.norm(person.light)
    half = lamp + np.array([0, 0, 1])
    half /= np.linalg.norm(half)
    diffuse = np.clip(normal @ lamp, 0, 1)
    gloss = np.clip(normal @ half, 0, 1) ** 25 * np.where(is_skin, 16.0, 60.0)
    return paint * (0.38 + 0.72 * diffuse[:, None]) + gloss[:, None]


def _painted(person: Person, kind: NDArray[np.uint8], place: Floats) -> Floats:
    """Colour of each pixel by where it lies on the face at rest (eye distance = 1)."""
    colours = np.empty(place.shape)
    colours[kind == SKIN] = _skin(person, place[kind == SKIN])
    for eye, side in ((EYE_LEFT_OF_VIEWER, -0.5), (EYE_RIGHT_OF_VIEWER, 0.5)):
        colours[kind == eye] = _eye(person, place[kind == eye] - [side, 0, 0])
    colours[kind == TEETH] = (230, 225, 215)
    return colours


def _eye(person: Person, place: Floats) -> Floats:
    radius = np.hypot(place[:, 0], place[:, 1])[:, None]
    iris = np.where(radius < 0.125, np.array(person.iris, float), np.array([232.0, 228.0, 225.0]))
    return np.where(radius < 0.055, np.array([20.0, 20.0, 20.0]), iris)


def _skin(person: Person, place: Floats) -> Floats:
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    colour = np.tile(np.array(person.skin, float), (len(place), 1))
    blush = np.exp(-(((x - 0.62) / 0.3) ** 2 + ((y + 0.55) / 0.28) ** 2)) * 0.22
    colour = _over(colour, blush, np.array(person.skin) * (1.0, 0.72, 0.70))
    lips_x, lips_y = _lip_centre(person)
    lip = np.hypot((place[:, 0] - lips_x) / 0.40, (y - lips_y) / 0.155)
    lip = np.clip((1 - lip**2) * 2.5, 0, 1) * (z > -0.2)
    colour = _over(colour, 0.6 * lip, np.array(person.skin) * (0.86, 0.56, 0.56))
    along = (x - 0.5) / 0.36
    arch = 0.30 + 0.06 * (1 - along**2) - 0.05 * (along > 0) * along**2
    thick = 0.055 - 0.02 * np.clip(along, 0, 1)
    brow = np.clip(1 - np.abs(y - arch) / thick, 0, 1) * np.clip((1.02 - np.abs(along)) * 4, 0, 1)
    colour = _over(colour, 0.85 * brow * (z > -0.6), np.array(person.hair, float))
    line = 1.25 - 0.75 * np.clip(-z - 0.1, 0, 1.2) - 0.25 * x
    return _over(colour, np.clip((y - line) * 6, 0, 1), np.array(person.hair, float))


def _over(under: Floats, weight: Floats, colour: NDArray[Any]) -> Floats:
    return under + weight[:, None] * (colour - under)


def _lip_centre(person: Person) -> tuple[float, float]:
    """Where the mouth is on this face: the vertices that a pucker moves most."""
    index, offset = head_mesh().targets["mouthPucker"]
    strongest = index[np.argsort(-np.linalg.norm(offset, axis=1))[:40]]
    origin, apart = _face_frame(person.neutral)
    x, y, _ = ((person.neutral[strongest] - origin) / apart).mean(axis=0)
    return float(x), float(y)

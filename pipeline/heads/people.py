"""Different people made of the mesh: shape, skin, hair and light, by a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.heads.mesh import face_units, head_mesh

RGB = tuple[int, int, int]
_KINDS = ("caucasian-female", "african-male", "asian-female", "caucasian-male", "african-female",
          "asian-male")  # fmt: skip
_SKIN: Mapping[str, tuple[RGB, ...]] = {
    "caucasian": ((225, 175, 150), (235, 190, 168), (205, 155, 125)),
    "african": ((150, 100, 70), (112, 74, 54), (175, 122, 88)),
    "asian": ((205, 160, 125), (222, 180, 148), (190, 140, 106)),
}
_HAIR: tuple[RGB, ...] = ((75, 55, 40), (22, 20, 20), (120, 86, 52), (40, 30, 26), (96, 96, 98))
_IRIS: tuple[RGB, ...] = ((80, 110, 90), (84, 58, 36), (92, 118, 142), (58, 40, 28))
_VARIED = (
    "chin-width", "chin-height", "chin-prominent", "head-scale-horiz", "head-fat", "nose-volume",
    "nose-scale-horiz", "nose-hump", "nose-point-width", "mouth-scale-horiz",
    "mouth-upperlip-volume", "mouth-lowerlip-volume", "forehead-scale-vert",
)  # fmt: skip
_MOST = 0.6


@dataclass(frozen=True)
class Person:
    """One drawn person.

    Attributes:
        number: what they are made from; equal numbers are equal people.
        kind: MakeHuman's macro target, e.g. `asian-female`.
        details: targets and amounts.
        skin, hair, iris: RGB 0…255.
        light: towards the lamp; x to the viewer's right, y up, z to the viewer.
        backdrop: RGB of the wall behind.
    """

    number: int
    kind: str
    details: Mapping[str, float]
    skin: RGB
    hair: RGB
    iris: RGB
    light: tuple[float, float, float]
    backdrop: RGB

    @cached_property
    def neutral(self) -> NDArray[np.float64]:
        """`(V, 3)` vertices at rest."""
        mesh, sex = head_mesh(), self.kind.split("-")[1]
        body = f"universal-{sex}-young-averagemuscle-averageweight"
        return mesh.moved(mesh.vertices, {f"{self.kind}-young": 1.0, body: 1.0, **self.details})

    def at(self, intensity: NDArray[np.floating]) -> NDArray[np.float64]:
        """`(V, 3)` vertices with `(12,)` intensities in AU_ORDER, exactly."""
        return head_mesh().moved(self.neutral, face_units(intensity))


def person(number: int) -> Person:
    """The person of a number: 0…5 are one of each kind, later ones vary in shape as well."""
    draw = np.random.default_rng([1974, number])
    kind = _KINDS[number % len(_KINDS)]
    details: dict[str, float] = {}
    for name in _VARIED:
        amount = float(draw.uniform(-_MOST, _MOST))
        details[f"{name}-{'incr' if amount > 0 else 'decr'}"] = abs(amount)
    skins = _SKIN[kind.split("-")[0]]
    wall = float(draw.uniform(70, 170))
    return Person(
        number=number,
        kind=kind,
        details=details,
        skin=skins[int(draw.integers(len(skins)))],
        hair=_HAIR[int(draw.integers(len(_HAIR)))],
        iris=_IRIS[int(draw.integers(len(_IRIS)))],
        light=(float(draw.uniform(-0.5, 0.5)), float(draw.uniform(0.2, 0.6)), 0.85),
        backdrop=(
            int(wall),
            int(wall * draw.uniform(0.9, 1.05)),
            int(wall * draw.uniform(0.9, 1.1)),
        ),
    )

"""ARKit's 52 blendshapes and an editable table of what they mean in action units.

Source: Apple, ARFaceAnchor.BlendShapeLocation; Epic, Live Link Face (order and PascalCase names).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_COLUMN, AU_ORDER, INTENSITY_MAX
from keyframes.checked_yaml.located import Node, read_text, read_yaml
from keyframes.checked_yaml.reader import Reader
from keyframes.errors import KeyframeError
from keyframes.facs import parse_au
from keyframes.formats.rows.finish import dropped_note
from keyframes.problems import SheetError

Array = NDArray[np.float64]

_SHAPES = """
EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft EyeWideLeft
EyeBlinkRight EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight EyeSquintRight
EyeWideRight JawForward JawRight JawLeft JawOpen MouthClose MouthFunnel MouthPucker MouthRight
MouthLeft MouthSmileLeft MouthSmileRight MouthFrownLeft MouthFrownRight MouthDimpleLeft
MouthDimpleRight MouthStretchLeft MouthStretchRight MouthRollLower MouthRollUpper MouthShrugLower
MouthShrugUpper MouthPressLeft MouthPressRight MouthLowerDownLeft MouthLowerDownRight
MouthUpperUpLeft MouthUpperUpRight BrowDownLeft BrowDownRight BrowInnerUp BrowOuterUpLeft
BrowOuterUpRight CheekPuff CheekSquintLeft CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut
"""
_ROTATIONS = """
HeadYaw HeadPitch HeadRoll LeftEyeYaw LeftEyePitch LeftEyeRoll RightEyeYaw RightEyePitch
RightEyeRoll
"""
SHAPES: tuple[str, ...] = tuple(_SHAPES.split())
"""All 52, in the order of a Live Link Face file."""
ROTATIONS: tuple[str, ...] = tuple(_ROTATIONS.split())
"""What follows them there: head and eyes, radians."""

_BY_LOWER = {shape.lower(): shape for shape in SHAPES}
_SIDE = re.compile(r"[_.\s-]?(l|r|left|right)$")
_ENOUGH = 10
"""Shapes by which a table is taken for a table of blendshapes."""
_SEEN = 0.05
"""A shape that never goes beyond this is at rest, and dropping it loses nothing."""
_UNEVEN = 0.2
"""Sides further apart than this look different."""
_FULL = 2.0
"""Shapes overshoot 1 on some rigs; beyond twice that, the table is in percent."""


@dataclass(frozen=True)
class ArkitTable:
    """Weights in both directions.

    Attributes:
        aus: AU number → shape (one of SHAPES) → weight.
        shapes: shape → AU number → weight.
    """

    aus: Mapping[int, Mapping[str, float]]
    shapes: Mapping[str, Mapping[int, float]]


def sides_of(name: str) -> tuple[str, ...]:
    """The shapes a name stands for: itself, or its left and right; nothing if unknown."""
    if name in SHAPES:
        return (name,)
    pair = (f"{name}Left", f"{name}Right")
    return pair if pair[0] in SHAPES else ()


def shape_named(name: str) -> str | None:
    """One of SHAPES from any tool's spelling: `eyeBlink_L`, `blendShapes.EyeBlinkLeft`."""
    word = name.strip().lower().rsplit(".", 1)[-1]
    if word in _BY_LOWER:
        return _BY_LOWER[word]
    side = _SIDE.search(word)
    if side is None:
        return _BY_LOWER.get(word.replace("_", ""))
    stem = word[: side.start()].replace("_", "")
    return _BY_LOWER.get(stem + ("left" if side[1][0] == "l" else "right"))


def shapes_named(header: tuple[str, ...]) -> dict[str, str]:
    """Which of SHAPES a table has, and their columns; empty if it is no table of blendshapes."""
    found = {shape: name for name in header if (shape := shape_named(name)) is not None}
    return found if len(found) >= _ENOUGH else {}


BLINKS = ("EyeBlinkRight", "EyeBlinkLeft")
"""Shut eyes, in the order of LID_NAMES."""


def used_shapes(weights: ArkitTable) -> set[str]:
    """The shapes an import reads: those of AUs, and blinks."""
    return {shape for row in weights.aus.values() for shape in row} | set(BLINKS)


def shape_lids(
    shapes: Mapping[str, Array], peaks: Mapping[str, float], scale: float | None
) -> Array | None:
    """`(M, 2)` how far the eyes are shut, 0…5, in the order of LID_NAMES; None without blinks.

    Args:
        shapes, peaks, scale: as of `shape_intensities`.
    """
    if any(name not in shapes for name in BLINKS):
        return None
    largest = (float(np.fmax.reduce(values, initial=-np.inf)) for values in shapes.values())
    top = _full_shape(max(*largest, *peaks.values()), scale, "")[0]
    shares = np.stack([shapes[name] / top for name in BLINKS], axis=1)
    return np.clip(INTENSITY_MAX * shares, 0.0, INTENSITY_MAX)


def shape_intensities(
    shapes: Mapping[str, Array],
    peaks: Mapping[str, float],
    weights: ArkitTable,
    scale: float | None,
    source: str,
) -> tuple[Array, list[str]]:
    """AU intensities `(M, 12)` of a performance in blendshapes, and what was lost.

    Args:
        shapes: by name, `(M,)` each: at least those that the weights use and the file has.
        peaks: of the others, the largest value.
        weights: shape → AU.
        scale: the value of a full shape, if a person said so.
        source: the file and its format, for people.

    Raises:
        KeyframeError: values that are no shares and no percentages.
    """
    largest = {name: float(np.fmax.reduce(values, initial=-np.inf)) for name, values in
               shapes.items()} | dict(peaks)  # fmt: skip
    top, notes = _full_shape(max(largest.values(), default=0.0), scale, source)
    values = np.full((len(next(iter(shapes.values()))), len(AU_ORDER)), np.nan)
    for au, row in weights.aus.items():
        there = {shape: weight / top for shape, weight in row.items() if shape in shapes}
        if there:
            total = sum(weight * shapes[shape] for shape, weight in there.items())
            values[:, AU_COLUMN[au]] = np.clip(INTENSITY_MAX * total, 0.0, INTENSITY_MAX)
    return values, notes + _losses(shapes, largest, weights, top, source)


def _full_shape(peak: float, scale: float | None, source: str) -> tuple[float, list[str]]:
    if scale is not None:
        return scale, []
    if peak <= 1.0:
        return 1.0, []
    if peak <= _FULL:
        return 1.0, [f"{source}: shapes to {peak:.2f}, beyond 1; intensities held to 0 to 5"]
    if peak > 100 * _FULL:
        raise KeyframeError(
            f"{source}: shapes to {peak:g}; expected 0 to 1, or percent; say scale, the value of "
            "a full shape"
        )
    return 100.0, [
        f"{source}: shapes to {peak:g}, beyond 1; read as percent (say scale: 1 if they are not)"
    ]


def _losses(
    shapes: Mapping[str, Array],
    largest: Mapping[str, float],
    weights: ArkitTable,
    top: float,
    source: str,
) -> list[str]:
    used = {shape for row in weights.aus.values() for shape in row}
    moved = [
        f"{shape} (to {largest[shape] / top:.2f})"
        for shape in SHAPES
        if shape not in (*used, *BLINKS) and largest.get(shape, 0.0) / top > _SEEN
    ]
    notes = dropped_note(source, "shapes without an AU that move", moved)
    pairs = sorted(
        name.removesuffix("Left") for name in used & shapes.keys() if name.endswith("Left")
    )
    uneven = [name for name in pairs if _unevenness(shapes, name) / top > _UNEVEN]
    if uneven:
        notes.append(f"{source}: left and right differ and were averaged: {', '.join(uneven)}")
    return notes


def _unevenness(shapes: Mapping[str, Array], name: str) -> float:
    left, right = shapes[f"{name}Left"], shapes.get(f"{name}Right")
    return 0.0 if right is None else float(np.nan_to_num(np.abs(left - right)).max())


def load_arkit(path: Path | None = None) -> ArkitTable:
    """The packaged table, or one from a file.

    Raises:
        SheetError: every problem of the file, with its place.
    """
    if path is None:
        packaged = resources.files("keyframes.formats.blendshapes").joinpath("arkit.yaml")
        root = read_yaml(packaged.read_text("utf-8"), "arkit.yaml")
    else:
        root = read_yaml(read_text(path), str(path))
    reader = Reader()
    entries = reader.mapping(root, ("version", "aus", "shapes"), "an ARKit table")
    aus = _weights_of_aus(reader, entries["aus"]) if "aus" in entries else {}
    shapes = _weights_of_shapes(reader, entries["shapes"]) if "shapes" in entries else {}
    if not aus and not reader.failed:
        reader.error(root.place, "no aus; expected AU: {shape: weight}")
    if reader.failed:
        raise SheetError(reader.problems)
    return ArkitTable(aus, shapes)


def _shape(reader: Reader, name: str, node: Node) -> tuple[str, ...]:
    shapes = sides_of(name)
    if not shapes:
        reader.error(node.key_places[name], f"unknown blendshape {name!r}; known: {_known()}")
    return shapes


def _known() -> str:
    names = dict.fromkeys(n.removesuffix("Left").removesuffix("Right") for n in SHAPES)
    return ", ".join(name for name in names if sides_of(name))


def _au(reader: Reader, name: str, node: Node) -> int:
    return reader.attempt(Node(name, node.key_places[name]), lambda: parse_au(name), 0)


def _weights_of_aus(reader: Reader, node: Node) -> dict[int, dict[str, float]]:
    weights: dict[int, dict[str, float]] = {}
    for name, row in node.entries().items():
        au = _au(reader, name, node)
        weights[au] = {}
        for shape, weight in row.entries().items():
            shapes = _shape(reader, shape, row)
            share = reader.number(weight, -10, 10) / max(1, len(shapes))
            weights[au].update(dict.fromkeys(shapes, share))
    return weights


def _weights_of_shapes(reader: Reader, node: Node) -> dict[str, dict[int, float]]:
    weights: dict[str, dict[int, float]] = {}
    for name, row in node.entries().items():
        shapes = _shape(reader, name, node)
        of_aus = {
            _au(reader, au, row): reader.number(weight, -10, 10)
            for au, weight in row.entries().items()
        }
        weights.update({shape: dict(of_aus) for shape in shapes})
    return weights

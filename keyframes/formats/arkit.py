"""ARKit's 52 blendshapes and an editable table of what they mean in action units.

Source: Apple, ARFaceAnchor.BlendShapeLocation; Epic, Live Link Face (order and PascalCase names).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from keyframes.checked_yaml.located import Node, read_text, read_yaml
from keyframes.checked_yaml.reader import Reader
from keyframes.facs import parse_au
from keyframes.problems import SheetError

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


def load_arkit(path: Path | None = None) -> ArkitTable:
    """The packaged table, or one from a file.

    Raises:
        SheetError: every problem of the file, with its place.
    """
    if path is None:
        packaged = resources.files("keyframes.formats").joinpath("arkit.yaml")
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

"""Poses of a curve file: AU values or FACS codes, with onset, apex and offset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from keyframes.au import CODE_NAMES, INTENSITY_MAX, AUCode
from keyframes.checked_yaml.located import Node
from keyframes.checked_yaml.reader import Reader
from keyframes.curves.easing import EASED
from keyframes.facs import LETTERS, parse_code, parse_facs
from keyframes.sources.gesture import Gesture

GESTURE_FIELDS = ("intensity", "start", "onset", "apex", "offset", "end", "ease")
_EASES = ("linear", *(word for word in EASED if word not in ("back", "bounce", "elastic")))


def read_pose(reader: Reader, node: Node, mode: str) -> dict[AUCode, float]:
    """AU numbers and values in the unit of the mode."""
    if isinstance(node.value, str):
        text = node.value
        if mode in ("scale", "neutralise"):
            reader.error(node.place, f"FACS letters are intensities; mode {mode} takes numbers")
        return reader.attempt(node, lambda: parse_facs(text), {})
    pose: dict[AUCode, float] = {}
    if not node.entries():
        reader.error(
            node.place, f"got {node.kind()}; expected AUs ({', '.join(CODE_NAMES)}) or 6B+12C"
        )
    for name, item in node.entries().items():
        place = Node(name, node.key_places[name])
        au = reader.attempt(place, lambda name=name: parse_code(name), 0)
        if au in pose:
            reader.error(place.place, f"AU {au} stands twice in this pose")
        pose[au] = reader.intensity(item, mode, au or None)
    return pose


def read_notes(reader: Reader, entries: Mapping[str, Node]) -> tuple[str, ...]:
    """What an expression is made of but the model lacks, in words."""
    if "not_in_model" not in entries:
        return ()
    nodes = reader.items(entries["not_in_model"], "AU numbers")
    if not nodes:
        return ()
    numbers = [f"AU{reader.whole(item, 1, 99)}" for item in nodes]
    return (f"{', '.join(numbers)} would belong to this expression but are not in the model",)


def with_timing(
    reader: Reader, gesture: Gesture, entries: Mapping[str, Node], mode: str
) -> Gesture:
    """A pose with whatever an entry says about its strength and timing."""
    if "intensity" in entries:
        gesture = _at_intensity(reader, gesture, entries["intensity"], mode)
    points = {side: reader.instant(entries[side]) for side in ("start", "end") if side in entries}
    lengths = {
        side: reader.duration(entries[side]) for side in ("onset", "offset") if side in entries
    }
    gesture = replace(gesture, **points, **lengths)
    timed = next((entries[field] for field in ("end", "apex", "start") if field in entries), None)
    if timed is not None:
        gesture = replace(gesture, place=timed.place)
    if {"start", "end"} <= entries.keys() and gesture.start.is_after(gesture.end):
        message = f"end {gesture.end} is before start {gesture.start}"
        reader.error(entries["end"].place, message)
    if "ease" in entries:
        gesture = replace(gesture, ease=reader.choice(entries["ease"], _EASES, "sine"))
    return _with_apex(reader, gesture, entries, mode) if "apex" in entries else gesture


def _with_apex(reader: Reader, gesture: Gesture, entries: Mapping[str, Node], mode: str) -> Gesture:
    """`apex: C` is how strong, `apex: 800ms` how long."""
    node = entries["apex"]
    value = node.scalar()
    if isinstance(value, str) and value.strip("+-").upper() in LETTERS:
        return _at_intensity(reader, gesture, node, mode)
    if not isinstance(value, str):
        reader.error(
            node.place, f"apex {node.kind()} could be a level or seconds; write apex: C or apex: 2s"
        )
        return gesture
    if "end" in entries:
        reader.error(node.place, "apex and end both say when the pose goes; keep one")
    return replace(gesture, apex=reader.duration(node))


def _at_intensity(reader: Reader, gesture: Gesture, node: Node, mode: str) -> Gesture:
    """The pose scaled so that its strongest AU has this level."""
    level = reader.intensity(node, mode, None)
    written = node.scalar()
    if isinstance(written, str) and "%" in written and mode in ("delta", "absolute"):
        reader.warn(
            node.place,
            f"{written} is intensity {level:g} on a scale of 0 to {INTENSITY_MAX:g}; for that "
            f"share of the scale write {INTENSITY_MAX * level:g}",
        )
    strongest = max((abs(value) for value in gesture.pose.values()), default=0.0)
    if strongest == 0 or mode == "scale":
        reader.error(node.place, "intensity goes with a pose that has a level of its own")
        return gesture
    scaled = {au: value * level / strongest for au, value in gesture.pose.items()}
    return replace(gesture, pose=scaled)

"""Layers and the whole of a curve file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from keyframes.au import AU_NAMES, INTENSITY_MAX
from keyframes.channel import Channel
from keyframes.curve import INTERPOLATIONS
from keyframes.easing import EASED, EASINGS
from keyframes.layer import BLENDS, MODES, Layer, Span
from keyframes.levels import LETTERS, parse_au, parse_facs
from keyframes.located import Node
from keyframes.presets import known_presets, preset_text
from keyframes.read_keys import Defaults, read_channel, read_channels, read_mode, read_smoothing
from keyframes.reader import Reader
from keyframes.sheet import KeyframeSheet
from keyframes.sources import Gesture, Keyed, Source

VERSION = 1
SOURCE_FIELDS = ("channels", "pose", "use")
GESTURE_FIELDS = ("intensity", "start", "onset", "apex", "offset", "end", "ease")
LAYER_FIELDS = (
    "name", *SOURCE_FIELDS, *GESTURE_FIELDS, "mode", "blend", "weight", "range", "fade",
    "faces", "smooth", "interpolation", "easing", "not_in_model",
)  # fmt: skip
_GESTURE_EASES = ("linear", *(word for word in EASED if word not in ("back", "bounce", "elastic")))
SHEET_FIELDS = ("version", "description", "input", "output", "layers", *LAYER_FIELDS)


def read_sheet(reader: Reader, root: Node, name: str, folder: Path | None) -> KeyframeSheet | None:
    """A sheet; its root is the bottom layer, if it says what that is made of.

    Args:
        reader: takes the problems.
        root: the document.
        name: the sheet's name unless the file gives one.
        folder: where relative `input` and `output` start; None leaves them as they are.

    Returns:
        None if a problem forbids it.
    """
    entries = reader.mapping(root, SHEET_FIELDS, "a curve file")
    _check_version(reader, root, entries)
    defaults = _defaults(reader, entries, Defaults())
    layers: list[Layer] = []
    if any(field in entries for field in SOURCE_FIELDS):
        layers += read_layers(reader, Node(entries, root.place, root.key_places), defaults, (0,))
    faces = reader.faces(entries["faces"]) if "faces" in entries else (0,)
    for node in reader.items(entries["layers"], "layers") if "layers" in entries else ():
        layers += read_layers(reader, node, defaults, faces)
    if not layers and not reader.failed:
        reader.error(
            root.place, f"nothing to do; expected one of {', '.join(SOURCE_FIELDS)}, layers"
        )
    if reader.failed:
        return None
    return KeyframeSheet(
        name=reader.text(entries["name"]) if "name" in entries else name,
        layers=tuple(layers),
        input=tuple(_paths(reader, entries.get("input"), folder)),
        output=next(iter(_paths(reader, entries.get("output"), folder)), None),
        description=str(entries["description"].scalar() or "") if "description" in entries else "",
        warnings=tuple(problem.message for problem in reader.problems),
    )


def _check_version(reader: Reader, root: Node, entries: Mapping[str, Node]) -> None:
    if "version" not in entries:
        reader.error(root.place, f"no version; expected version: {VERSION} at the top")
    elif entries["version"].scalar() != VERSION:
        found = entries["version"]
        reader.error(found.place, f"version {found.kind()}; known: {VERSION}")


def _paths(reader: Reader, node: Node | None, folder: Path | None) -> list[str]:
    if node is None:
        return []
    texts = [reader.text(item) for item in node.items() or (node,)]
    return texts if folder is None else [str(folder / text) for text in texts]


def _defaults(reader: Reader, entries: Mapping[str, Node], outer: Defaults) -> Defaults:
    if "mode" in entries:
        outer = replace(outer, mode=read_mode(reader, entries["mode"]))
    if "interpolation" in entries:
        known = (*INTERPOLATIONS, "hold")
        word = reader.choice(entries["interpolation"], known, "bezier").replace("hold", "constant")
        outer = replace(outer, interpolation=word)
    if "easing" in entries:
        outer = replace(outer, easing=reader.choice(entries["easing"], EASINGS, "auto"))
    if "smooth" in entries:
        outer = replace(outer, smoothing=read_smoothing(reader, entries["smooth"]))
    return outer


def read_layers(
    reader: Reader, node: Node, defaults: Defaults, faces: tuple[int, ...] | None
) -> list[Layer]:
    """The layers one entry stands for: one, or as many as the preset it uses has."""
    known = SHEET_FIELDS if not node.place.key else LAYER_FIELDS
    entries = reader.mapping(node, known, "a layer")
    made_of = [field for field in SOURCE_FIELDS if field in entries]
    if len(made_of) != 1:
        got = ", ".join(made_of) or "none of them"
        reader.error(node.place, f"a layer is made of one of {', '.join(SOURCE_FIELDS)}; got {got}")
        return []
    if made_of[0] == "channels":
        for field in GESTURE_FIELDS:
            if field in entries:
                where = node.key_places[field]
                reader.error(where, f"{field} goes with pose and use; channels have keys")
    if node.place.key:
        defaults = _defaults(reader, entries, defaults)
    blend = "add"
    if "blend" in entries:
        blend = reader.choice(entries["blend"], BLENDS, "add")
        defaults = _blend_mode(reader, entries, defaults, blend)
    if made_of[0] == "use":
        layers = _used(reader, entries, defaults)
    else:
        source = _source(reader, entries, defaults)
        layers = [Layer(source, node.place, mode=defaults.mode)]
    changes = _layer_changes(reader, entries, defaults)
    if blend == "override":
        changes["blend"] = "override"
    changes.setdefault("faces", faces)
    return [replace(layer, place=node.place, **changes) for layer in layers]


def _blend_mode(
    reader: Reader, entries: Mapping[str, Node], defaults: Defaults, blend: str
) -> Defaults:
    if blend not in MODES:
        return defaults
    if "mode" in entries and defaults.mode != blend:
        where = entries["mode"].place
        reader.error(where, f"mode {defaults.mode} with blend {blend}, which is a mode of its own")
    return replace(defaults, mode=blend)


def _layer_changes(
    reader: Reader, entries: Mapping[str, Node], defaults: Defaults
) -> dict[str, object]:
    changes: dict[str, object] = {}
    if "name" in entries:
        changes["name"] = reader.text(entries["name"])
    if "weight" in entries:
        changes["weight"] = _weight(reader, entries["weight"], defaults)
    if "faces" in entries:
        changes["faces"] = reader.faces(entries["faces"])
    if "range" in entries or "fade" in entries:
        changes["span"] = _span(reader, entries)
    return changes


def _weight(reader: Reader, node: Node, defaults: Defaults) -> float | Channel:
    if isinstance(node.value, tuple | Mapping):
        own = replace(defaults, mode="neutralise", smoothing=None)
        return read_channel(reader, node, own, None)
    return reader.number(node, 0.0, 1.0)


def _span(reader: Reader, entries: Mapping[str, Node]) -> Span:
    span = Span()
    if "range" in entries:
        ends = entries["range"].items()
        if len(ends) == 2:
            start, end = (reader.instant(end) for end in ends)
            span = replace(span, start=start, end=end)
            if end.is_after(start) is False:
                reader.error(
                    entries["range"].place, f"range {start} to {end} ends before it starts"
                )
        else:
            reader.error(entries["range"].place, "expected [start, end]")
    if "fade" in entries:
        fades = entries["fade"].items() or (entries["fade"],) * 2
        if len(fades) == 2:
            fade_in, fade_out = (reader.duration(fade) for fade in fades)
            span = replace(span, fade_in=fade_in, fade_out=fade_out)
        else:
            reader.error(entries["fade"].place, "expected a length, or [in, out]")
    return span


def _source(reader: Reader, entries: Mapping[str, Node], defaults: Defaults) -> Source:
    if "pose" in entries:
        pose = _pose(reader, entries["pose"], defaults.mode)
        notes = _notes(reader, entries)
        return _with_timing(reader, Gesture(pose, notes=notes), entries, defaults.mode)
    channels, modes = read_channels(reader, entries["channels"], defaults)
    for au, channel in channels.items():
        if modes.get(au, defaults.mode) == "absolute":
            for key in channel.keys:
                if not 0 <= key.value <= INTENSITY_MAX:
                    reader.warn(key.place, f"absolute target {key.value:g} is outside 0 to 5")
    return Keyed(channels, modes)


def _pose(reader: Reader, node: Node, mode: str) -> dict[int, float]:
    if isinstance(node.value, str):
        text = node.value
        if mode in ("scale", "neutralise"):
            reader.error(node.place, f"FACS letters are intensities; mode {mode} takes numbers")
        return reader.attempt(node, lambda: parse_facs(text), {})
    pose: dict[int, float] = {}
    if not node.entries():
        reader.error(
            node.place, f"got {node.kind()}; expected AUs ({', '.join(AU_NAMES)}) or 6B+12C"
        )
    for name, item in node.entries().items():
        place = Node(name, node.key_places[name])
        au = reader.attempt(place, lambda name=name: parse_au(name), 0)
        if au in pose:
            reader.error(place.place, f"AU {au} stands twice in this pose")
        pose[au] = reader.intensity(item, mode, au or None)
    return pose


def _notes(reader: Reader, entries: Mapping[str, Node]) -> tuple[str, ...]:
    if "not_in_model" not in entries:
        return ()
    numbers = [f"AU{int(reader.number(item))}" for item in entries["not_in_model"].items()]
    return (f"{', '.join(numbers)} would belong to this expression but are not in the model",)


def _with_timing(
    reader: Reader, gesture: Gesture, entries: Mapping[str, Node], mode: str
) -> Gesture:
    if "intensity" in entries:
        gesture = _at_intensity(reader, gesture, entries["intensity"], mode)
    points = {side: reader.instant(entries[side]) for side in ("start", "end") if side in entries}
    lengths = {
        side: reader.duration(entries[side]) for side in ("onset", "offset") if side in entries
    }
    gesture = replace(gesture, **points, **lengths)
    if "ease" in entries:
        gesture = replace(gesture, ease=reader.choice(entries["ease"], _GESTURE_EASES, "sine"))
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
    strongest = max((abs(value) for value in gesture.pose.values()), default=0.0)
    if strongest == 0 or mode == "scale":
        reader.error(node.place, "intensity goes with a pose that has a level of its own")
        return gesture
    scaled = {au: value * level / strongest for au, value in gesture.pose.items()}
    return replace(gesture, pose=scaled)


def _used(reader: Reader, entries: Mapping[str, Node], defaults: Defaults) -> list[Layer]:
    """The layers of a preset, with this entry's timing and intensity."""
    preset = reader.text(entries["use"]).removesuffix(".yaml")
    if preset not in known_presets():
        known = ", ".join(known_presets())
        reader.error(entries["use"].place, f"no preset {preset!r}; known: {known}")
        return []
    own_mode = "mode" in entries or defaults.mode != "delta"
    layers: list[Layer] = []
    for layer in _preset_layers(preset):
        mode = defaults.mode if own_mode and layer.mode == "delta" else layer.mode
        if own_mode and mode != defaults.mode and "mode" in entries:
            reader.error(entries["mode"].place, f"preset {preset!r} is made for mode {layer.mode}")
        source = layer.source
        if isinstance(source, Gesture):
            source = _with_timing(reader, source, entries, mode)
        layers.append(replace(layer, source=source, mode=mode, name=layer.name or preset))
    return layers


def _preset_layers(name: str) -> tuple[Layer, ...]:
    from keyframes.load import parse_sheet

    return parse_sheet(preset_text(name), f"preset {name}").layers

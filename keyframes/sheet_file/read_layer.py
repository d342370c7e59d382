"""Layers of a curve file: what they are made of, and how they meet those below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from keyframes.au import INTENSITY_MAX
from keyframes.checked_yaml.located import Node, read_yaml
from keyframes.checked_yaml.reader import Reader, nearest
from keyframes.clock.instant import Instant
from keyframes.curves.curve import INTERPOLATIONS
from keyframes.curves.easing import EASINGS
from keyframes.errors import KeyframeError
from keyframes.facs import parse_facs
from keyframes.formats.otio import TimelineEvent, read_events
from keyframes.layer import BLENDS, MODES, Layer
from keyframes.presets import known_presets, preset_text
from keyframes.sheet_file.read_import import import_entries, is_timeline, read_performance
from keyframes.sheet_file.read_keys import (
    Defaults,
    read_channels,
    read_continuous,
    read_mode,
    read_smoothing,
)
from keyframes.sheet_file.read_pose import GESTURE_FIELDS, read_notes, read_pose, with_timing
from keyframes.sheet_file.read_presence import read_span, read_weight
from keyframes.sources.gesture import Gesture
from keyframes.sources.keyed import Keyed

SOURCE_FIELDS = ("channels", "pose", "use", "import")
LAYER_FIELDS = (
    "name", *SOURCE_FIELDS, *GESTURE_FIELDS, "mode", "blend", "weight", "range", "fade",
    "faces", "smooth", "interpolation", "easing", "auto_smoothing", "not_in_model",
)  # fmt: skip
MARKER_FIELDS = ("use", "pose", "intensity", "onset", "offset")
_MARKER_APEX = Instant(seconds=0.4)
"""How long the pose of a marker without a length stays."""


def read_defaults(reader: Reader, entries: Mapping[str, Node], outer: Defaults) -> Defaults:
    """What a sheet or layer says for all its keys."""
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
    return replace(outer, continuous=read_continuous(reader, entries, outer))


def read_layers(
    reader: Reader,
    node: Node,
    defaults: Defaults,
    faces: tuple[int | str, ...] | None,
    folder: Path | None,
    *,
    known: tuple[str, ...] = LAYER_FIELDS,
) -> list[Layer]:
    """The layers one entry stands for: one, or as many as its preset or timeline has.

    Args:
        reader: takes the problems.
        node: the entry.
        defaults: of the sheet; the entry's own come on top.
        faces: whom it is for unless it says so.
        folder: where relative paths start.
        known: the keys it may have; more than a layer's for the sheet itself.
    """
    entries = reader.mapping(node, known, "a layer")
    made_of = [field for field in SOURCE_FIELDS if field in entries]
    if len(made_of) != 1:
        got = ", ".join(made_of) or "none of them"
        reader.error(node.place, f"a layer is made of one of {', '.join(SOURCE_FIELDS)}; got {got}")
        return []
    if made_of[0] in ("channels", "import"):
        _refuse_timing(reader, node, entries, made_of[0])
    if known is LAYER_FIELDS:
        defaults = read_defaults(reader, entries, defaults)
    blend = reader.choice(entries["blend"], BLENDS, "add") if "blend" in entries else "add"
    defaults = _blend_mode(reader, entries, defaults, blend)
    layers = _made_of(reader, entries, defaults, made_of[0], folder)
    changes = _layer_changes(reader, entries, defaults)
    if blend == "override":
        changes["blend"] = "override"
    changes.setdefault("faces", faces)
    return [replace(layer, place=node.place, **changes) for layer in layers]


def _refuse_timing(reader: Reader, node: Node, entries: Mapping[str, Node], made_of: str) -> None:
    for field in GESTURE_FIELDS:
        if field in entries:
            why = "have keys" if made_of == "channels" else "has its own start"
            where = node.key_places[field]
            reader.error(where, f"{field} goes with pose and use; {made_of} {why}")


def _blend_mode(
    reader: Reader, entries: Mapping[str, Node], defaults: Defaults, blend: str
) -> Defaults:
    if blend not in MODES:
        return defaults
    if "mode" in entries and defaults.mode != blend:
        where = entries["mode"].place
        reader.error(where, f"mode {defaults.mode} with blend {blend}, which is a mode of its own")
    return replace(defaults, mode=blend)


def _made_of(
    reader: Reader,
    entries: Mapping[str, Node],
    defaults: Defaults,
    what: str,
    folder: Path | None,
) -> list[Layer]:
    node = entries[what]
    if what == "use":
        return _used(reader, node, entries, defaults)
    if what == "import":
        return _imported(reader, node, defaults, folder)
    if what == "pose":
        pose = read_pose(reader, node, defaults.mode)
        gesture = Gesture(pose, notes=read_notes(reader, entries))
        source = with_timing(reader, gesture, entries, defaults.mode)
    else:
        source = _keyed(reader, node, defaults)
    return [Layer(source, node.place, mode=defaults.mode)]


def _keyed(reader: Reader, node: Node, defaults: Defaults) -> Keyed:
    channels, modes = read_channels(reader, node, defaults)
    for au, channel in channels.items():
        if modes.get(au, defaults.mode) != "absolute":
            continue
        for key in channel.keys:
            if not 0 <= key.value <= INTENSITY_MAX:
                reader.warn(key.place, f"absolute target {key.value:g} is outside 0 to 5")
    return Keyed(channels, modes)


def _layer_changes(
    reader: Reader, entries: Mapping[str, Node], defaults: Defaults
) -> dict[str, object]:
    changes: dict[str, object] = {}
    if "name" in entries:
        changes["name"] = reader.text(entries["name"])
    if "weight" in entries:
        changes["weight"] = read_weight(reader, entries["weight"], defaults)
    if "faces" in entries:
        changes["faces"] = reader.faces(entries["faces"])
    if "range" in entries or "fade" in entries:
        changes["span"] = read_span(reader, entries)
    return changes


def _used(
    reader: Reader, node: Node, entries: Mapping[str, Node], defaults: Defaults
) -> list[Layer]:
    """The layers of a preset, with this entry's timing and intensity."""
    preset = reader.text(node).removesuffix(".yaml")
    if preset not in known_presets():
        close = nearest(preset, known_presets())
        known = f"known: {', '.join(known_presets())}{close}"
        reader.error(node.place, f"no preset {preset!r}; {known}")
        return []
    layers: list[Layer] = []
    for layer in _preset_layers(reader, preset):
        mode = layer.mode if layer.mode != "delta" else defaults.mode
        if mode != defaults.mode and ("mode" in entries or "blend" in entries):
            where = entries.get("mode", entries.get("blend", node)).place
            if defaults.mode != "delta" or "mode" in entries:
                reader.error(where, f"preset {preset!r} is made for mode {layer.mode}")
        if layer.mode == "delta" and mode in ("scale", "neutralise"):
            reader.error(node.place, f"preset {preset!r} holds intensities; mode {mode} has shares")
        source = layer.source
        if isinstance(source, Gesture):
            source = with_timing(reader, source, entries, mode)
        layers.append(replace(layer, source=source, mode=mode, name=layer.name or preset))
    return layers


def _preset_layers(reader: Reader, name: str) -> list[Layer]:
    """The layers of a preset; what is wrong with it is told of its own file and line."""
    own = Reader()
    root = read_yaml(preset_text(name), f"{name}.yaml")
    known = ("version", "description", *LAYER_FIELDS)
    defaults = read_defaults(own, root.entries(), Defaults())
    layers = read_layers(own, root, defaults, (0,), None, known=known)
    reader.problems += own.problems
    return layers


def _imported(reader: Reader, node: Node, defaults: Defaults, folder: Path | None) -> list[Layer]:
    entries = import_entries(reader, node)
    if not is_timeline(entries):
        settings = (defaults.mode, defaults.smoothing)
        source = read_performance(reader, node, entries, folder, settings)
        if defaults.mode in ("scale", "neutralise"):
            message = f"an import holds intensities; mode {defaults.mode} has shares"
            reader.error(node.place, message)
        return [Layer(source, node.place, mode=defaults.mode)]
    for field in entries:
        if field not in ("file", "format", "start", "markers"):
            where = node.key_places[field]
            reader.error(where, f"{field} goes with tables; a timeline takes start and markers")
    if "file" not in entries:
        return []
    path = (folder or Path()) / reader.text(entries["file"])
    try:
        events = read_events(path)
    except KeyframeError as error:
        reader.error(entries["file"].place, str(error))
        return []
    return _event_layers(reader, entries, events, defaults)


def _event_layers(
    reader: Reader,
    entries: Mapping[str, Node],
    events: tuple[TimelineEvent, ...],
    defaults: Defaults,
) -> list[Layer]:
    """Poses for the clips and markers whose names mean something; the others are reported."""
    named: Mapping[str, Node] = entries["markers"].entries() if "markers" in entries else {}
    start = reader.instant(entries["start"]) if "start" in entries else Instant()
    layers: list[Layer] = []
    dropped: list[str] = []
    for event in events:
        made = _named_pose(reader, entries["file"], named.get(event.name), event, defaults)
        if not made:
            dropped.append(event.name or "without a name")
        layers += [_placed(layer, event, start) for layer in made]
    if dropped:
        names = ", ".join(dict.fromkeys(dropped))
        reader.warn(entries["file"].place, f"timeline entries that name no pose: {names}")
    return layers


def _named_pose(
    reader: Reader,
    file: Node,
    meaning: Node | None,
    event: TimelineEvent,
    defaults: Defaults,
) -> list[Layer]:
    if meaning is not None and isinstance(meaning.value, dict):
        entries = reader.mapping(meaning, MARKER_FIELDS, "the meaning of a name")
        what = "use" if "use" in entries else "pose"
        if what not in entries:
            reader.error(meaning.place, "expected use or pose")
            return []
        return _made_of(reader, entries, defaults, what, None)
    word = str(meaning.value) if meaning is not None else event.name
    place = file if meaning is None else meaning
    if word in known_presets():
        return _used(reader, Node(word, place.place), {}, defaults)
    try:
        return [Layer(Gesture(parse_facs(word)), place.place, mode=defaults.mode)]
    except KeyframeError as error:
        if meaning is not None:
            reader.error(meaning.place, f"{error}; known presets: {', '.join(known_presets())}")
        return []


def _placed(layer: Layer, event: TimelineEvent, start: Instant) -> Layer:
    """A pose at an event: through its range, or short around a marker without a length."""
    source = layer.source
    if not isinstance(source, Gesture):
        return layer
    begin = replace(start, seconds=start.seconds + event.start_s)
    end = replace(begin, seconds=begin.seconds + event.duration_s)
    apex = None if event.duration_s > 0 else _MARKER_APEX
    gesture = replace(source, start=begin, end=end, apex=apex)
    return replace(layer, source=gesture, name=layer.name or event.name)

"""Channels and keys of a curve file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from keyframes.au import CODE_NAMES, AUCode
from keyframes.checked_yaml.located import Node
from keyframes.checked_yaml.reader import Reader
from keyframes.clock.instant import ZERO, Instant
from keyframes.curves.bezier import HANDLE_KINDS
from keyframes.curves.channel import Channel, Handle, Key
from keyframes.curves.curve import EXTRAPOLATIONS, INTERPOLATIONS
from keyframes.curves.easing import EASINGS
from keyframes.curves.smooth import SMOOTHINGS, Smoothing
from keyframes.facs import parse_code

EASY_EASE = "easy_ease"
KEY_FIELDS = (
    "time", "value", "interpolation", "easing", "handles", "left", "right", "in", "out",
    "back", "amplitude", "period",
)  # fmt: skip
AUTO_SMOOTHINGS = ("none", "continuous")
CHANNEL_FIELDS = (
    "keys", "mode", "interpolation", "easing", "auto_smoothing", "before", "after", "smooth",
)  # fmt: skip
_WORDS = {"hold": "constant"}
_INTERPOLATION_WORDS = (*INTERPOLATIONS, "hold", EASY_EASE)
_SMOOTHING_FIELDS: Mapping[str, tuple[str, ...]] = {
    "gaussian": ("sigma",),
    "savgol": ("window", "order"),
    "one_euro": ("cutoff_hz", "beta"),
    "spring": ("time",),
}


@dataclass(frozen=True)
class Defaults:
    """What holds where a key or channel does not say otherwise."""

    mode: str = "delta"
    interpolation: str = "bezier"
    easing: str = "auto"
    smoothing: Smoothing | None = None
    continuous: bool = True


def read_channels(
    reader: Reader, node: Node, defaults: Defaults
) -> tuple[dict[AUCode, Channel], dict[AUCode, str]]:
    """Channels by AU number, and the modes of those that have their own."""
    channels: dict[AUCode, Channel] = {}
    modes: dict[AUCode, str] = {}
    if not node.entries():
        reader.error(
            node.place, f"got {node.kind()}; expected a map of AUs: {', '.join(CODE_NAMES)}"
        )
    for name, item in node.entries().items():
        place = Node(name, node.key_places[name])
        au = reader.attempt(place, lambda name=name: parse_code(name), 0)
        if au in channels:
            reader.error(place.place, f"AU {au} stands twice in these channels")
        if isinstance(item.value, dict) and "mode" in item.value:
            modes[au] = read_mode(reader, item.value["mode"])
        own = replace(defaults, mode=modes.get(au, defaults.mode))
        channels[au] = read_channel(reader, item, own, au or None)
    return channels, modes


def read_mode(reader: Reader, node: Node) -> str:
    """What numbers mean."""
    return reader.choice(node, ("delta", "absolute", "scale", "neutralise"), "delta")


def read_channel(reader: Reader, node: Node, defaults: Defaults, au: AUCode | None) -> Channel:
    """A channel from its map, or from a bare list of keys."""
    if isinstance(node.value, tuple):
        keys = _read_keys(reader, node, defaults, au)
        return Channel(keys, smoothing=defaults.smoothing, continuous=defaults.continuous)
    entries = reader.mapping(node, CHANNEL_FIELDS, "a channel")
    if "interpolation" in entries:
        word = reader.choice(entries["interpolation"], _INTERPOLATION_WORDS, "bezier")
        defaults = replace(defaults, interpolation=_WORDS.get(word, word))
    if "easing" in entries:
        defaults = replace(defaults, easing=reader.choice(entries["easing"], EASINGS, "auto"))
    continuous = read_continuous(reader, entries, defaults)
    smoothing = defaults.smoothing
    if "smooth" in entries:
        smoothing = read_smoothing(reader, entries["smooth"])
    sides = {
        side: reader.choice(entries[side], EXTRAPOLATIONS, "hold") if side in entries else "hold"
        for side in ("before", "after")
    }
    if "keys" not in entries:
        reader.error(node.place, "a channel without keys")
        return Channel((Key(ZERO, 0.0, node.place),))
    keys = _read_keys(reader, entries["keys"], defaults, au)
    return Channel(keys, sides["before"], sides["after"], smoothing, continuous)


def read_continuous(reader: Reader, entries: Mapping[str, Node], outer: Defaults) -> bool:
    """Whether automatic handles keep acceleration continuous."""
    if "auto_smoothing" not in entries:
        return outer.continuous
    return reader.choice(entries["auto_smoothing"], AUTO_SMOOTHINGS, "none") == "continuous"


def _read_keys(
    reader: Reader, node: Node, defaults: Defaults, au: AUCode | None
) -> tuple[Key, ...]:
    keys: list[Key] = []
    last: Key | None = None
    for item in reader.items(node, "keys"):
        before = len(reader.problems)
        key = read_key(reader, item, defaults, au)
        keys.append(key)
        if len(reader.problems) > before:
            continue
        if last is not None and key.time.is_after(last.time) is not True:
            _check_order(reader, last, key)
        last = key
    if keys:
        return tuple(keys)
    if isinstance(node.value, tuple):
        reader.error(node.place, "an empty list; expected at least one key")
    return (Key(ZERO, 0.0, node.place),)


def _check_order(reader: Reader, last: Key, key: Key) -> None:
    """Report keys that are out of order on every clip; the rest shows on a clip."""
    if key.time == last.time:
        reader.error(key.place, f"a second key at {key.time}, as in line {last.place.line}")
    elif key.time.is_after(last.time) is False:
        reader.error(key.place, f"time {key.time} is not after the key before it ({last.time})")


def read_key(reader: Reader, node: Node, defaults: Defaults, au: AUCode | None) -> Key:
    """A key from a row `[time, value, interpolation, easing, {more}]` or from a full map."""
    if isinstance(node.value, tuple):
        entries = _row_entries(reader, node)
    else:
        entries = dict(reader.mapping(node, KEY_FIELDS, "a key"))
    for field in ("time", "value"):
        if field not in entries:
            reader.error(node.place, f"a key without {field}; expected [time, value, …]")
    if not {"time", "value"} <= entries.keys():
        return Key(ZERO, 0.0, node.place)
    key = Key(
        time=reader.instant(entries["time"]),
        value=reader.intensity(entries["value"], defaults.mode, au),
        place=node.place,
        interpolation=defaults.interpolation,
        easing=defaults.easing,
    )
    return _with_shape(reader, key, entries)


def _row_entries(reader: Reader, node: Node) -> dict[str, Node]:
    items = list(node.items())
    entries: dict[str, Node] = {}
    if items and isinstance(items[-1].value, Mapping):
        known = [field for field in KEY_FIELDS if field not in ("time", "value")]
        entries.update(reader.mapping(items.pop(), known, "more of a key"))
    if len(items) > 4:
        message = f"a row of {len(items)}; expected [time, value, interpolation, easing]"
        reader.error(node.place, message)
    for field, item in zip(("time", "value", "interpolation", "easing"), items, strict=False):
        if field in entries:
            reader.error(item.place, f"{field} stands in the row and in its map")
        entries[field] = item
    return entries


def _with_shape(reader: Reader, key: Key, entries: Mapping[str, Node]) -> Key:
    if len(entries) == 2 and key.interpolation != EASY_EASE:  # time and value: most keys
        return key
    changes: dict[str, object] = {}
    if "interpolation" in entries:
        word = reader.choice(entries["interpolation"], _INTERPOLATION_WORDS, "bezier")
        changes["interpolation"] = _WORDS.get(word, word)
    if "easing" in entries:
        changes["easing"] = reader.choice(entries["easing"], EASINGS, "auto")
    if changes.get("interpolation", key.interpolation) == EASY_EASE:
        ease = Handle("ease")
        changes |= {"interpolation": "bezier", "left": ease, "right": ease}
    changes |= _handles_of(reader, entries)
    if "back" in entries:
        changes["back"] = reader.number(entries["back"], -100, 100)
    if "amplitude" in entries:
        changes["amplitude"] = reader.number(entries["amplitude"], 0, 100)
    if "period" in entries:
        changes["period"] = reader.duration(entries["period"])
    return replace(key, **changes)  # type: ignore[arg-type]


def _handles_of(reader: Reader, entries: Mapping[str, Node]) -> dict[str, Handle]:
    found: dict[str, Handle] = {}
    if "handles" in entries:
        both = Handle(reader.choice(entries["handles"], HANDLE_KINDS, "auto_clamped"))
        found |= {"left": both, "right": both}
    for field in ("left", "right"):
        if field in entries:
            found[field] = _read_handle(reader, entries[field], field)
    for field, side in (("in", "left"), ("out", "right")):
        if field in entries:
            found[side] = _read_ease(reader, entries[field])
    return found


def _read_ease(reader: Reader, node: Node) -> Handle:
    """After Effects: speed in units per second, influence as a share of the segment."""
    entries = reader.mapping(node, ("speed", "influence"), "an ease")
    speed = reader.number(entries["speed"]) if "speed" in entries else 0.0
    influence = 100 / 3
    if "influence" in entries:
        value = entries["influence"].scalar()
        percent = isinstance(value, str) and value.endswith("%")
        low, high = (0.001, 1.0) if percent else (0.1, 100.0)
        influence = reader.number(entries["influence"], low, high) * (100 if percent else 1)
    return Handle("ease", speed=speed, influence=influence / 100)


def _read_handle(reader: Reader, node: Node, side: str) -> Handle:
    """Blender: a kind, an offset `[time, value]` (then it is free), or both in a map."""
    if isinstance(node.value, str):
        return Handle(reader.choice(node, HANDLE_KINDS, "auto_clamped"))
    if isinstance(node.value, tuple):
        return _read_offset(reader, node, side, "free")
    entries = reader.mapping(node, ("kind", "offset"), "a handle")
    kind = reader.choice(entries["kind"], HANDLE_KINDS, "free") if "kind" in entries else "free"
    if "offset" not in entries:
        return Handle(kind)
    if kind not in ("free", "aligned"):
        reader.error(
            entries["offset"].place, f"a {kind} handle places itself; known: free, aligned"
        )
    return _read_offset(reader, entries["offset"], side, kind)


def _read_offset(reader: Reader, node: Node, side: str, kind: str) -> Handle:
    items = node.items()
    if len(items) != 2:
        reader.error(node.place, f"got {node.kind()}; expected [time, value] from the key")
        return Handle()
    time, value = reader.instant(items[0]), reader.number(items[1], -1000, 1000)
    if time.timecode is not None:
        reader.error(items[0].place, f"got timecode {time}; expected a distance from the key")
        return Handle()
    if side == "left":
        time = Instant(-time.seconds, -time.frames, -time.share)
    if min(time.seconds, time.frames, time.share) < 0:
        expected = "0 or less (before the key)" if side == "left" else "0 or more (after the key)"
        message = f"a {side} handle that runs backwards in time; expected {expected}"
        reader.error(items[0].place, message)
        return Handle()
    return Handle(kind, time, value)


def read_smoothing(reader: Reader, node: Node) -> Smoothing | None:
    """`gaussian: 80ms`, `savgol: {window: 200ms, order: 3}`, `one_euro: 1.5`, `spring: 0.2s`."""
    if node.value in ("none", None):
        return None
    entries = reader.mapping(node, (*SMOOTHINGS, "one-euro"), "smoothing")
    if len(entries) != 1:
        if len(node.entries()) != 1 and isinstance(node.value, dict):
            reader.error(node.place, f"expected one of {', '.join(SMOOTHINGS)}")
        return None
    kind, body = next(iter(entries.items()))
    kind = kind.replace("-", "_")
    main, *_ = _SMOOTHING_FIELDS[kind]
    fields = {main: body}
    if isinstance(body.value, dict):
        fields = dict(reader.mapping(body, _SMOOTHING_FIELDS[kind], kind))
    if main not in fields:
        reader.error(body.place, f"{kind} without {main}")
        return None
    if kind == "one_euro":
        cutoff = reader.number(fields[main], 0.01, 100)
        beta = reader.number(fields["beta"], 0, 100) if "beta" in fields else Smoothing.beta
        return Smoothing(kind, cutoff_hz=cutoff, beta=beta)
    width = reader.duration(fields[main])
    order = reader.whole(fields["order"], 0, 7) if "order" in fields else Smoothing.order
    return Smoothing(kind, width, order)

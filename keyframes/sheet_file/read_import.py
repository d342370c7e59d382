"""The `import` of a curve file: tables, driving videos, OpenTimelineIO."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from keyframes.au import AU_ORDER
from keyframes.checked_yaml.located import Node
from keyframes.checked_yaml.reader import Reader
from keyframes.clock.instant import ZERO, Instant
from keyframes.curves.smooth import Smoothing
from keyframes.errors import KeyframeError
from keyframes.facs import parse_au
from keyframes.formats.options import Options
from keyframes.formats.recognise import TABLE_FORMATS, read_table
from keyframes.sources.performance import DEFAULT_GAP, Performance, PerformanceTable

COMMON_FIELDS = ("file", "start")
TABLE_FIELDS = (
    "video", "format", "table", "relative", "neutral", "gain", "trim", "speed", "gap", "track",
    "fps",
)  # fmt: skip
IMPORT_FIELDS = (*COMMON_FIELDS, *TABLE_FIELDS, "markers")


def import_entries(reader: Reader, node: Node) -> Mapping[str, Node]:
    """The settings of an import; a bare path is its file."""
    if isinstance(node.value, str):
        return {"file": node}
    entries = reader.mapping(node, IMPORT_FIELDS, "an import")
    if ("file" in entries) == ("video" in entries) and isinstance(node.value, Mapping):
        reader.error(node.place, "an import is of one file or one video")
    return entries


def is_timeline(entries: Mapping[str, Node]) -> bool:
    """Whether an import is an OpenTimelineIO file, which gives poses instead of a table."""
    if "format" in entries:
        return entries["format"].value == "otio"
    return str(entries["file"].value if "file" in entries else "").endswith(".otio")


def read_performance(
    reader: Reader,
    node: Node,
    entries: Mapping[str, Node],
    folder: Path | None,
    settings: tuple[str, Smoothing | None],
) -> Performance:
    """A table, read now, or a driving video, whose table comes later.

    Args:
        reader: takes the problems.
        node: the import.
        entries: its settings.
        folder: where relative paths start.
        settings: the layer's mode and smoothing.
    """
    mode, smoothing = settings
    if "markers" in entries:
        reader.error(node.key_places["markers"], "markers go with OpenTimelineIO files")
    relative = mode == "delta"
    if "relative" in entries:
        relative = reader.choice(entries["relative"], ("neutral", "none"), "none") == "neutral"
    options = _options(reader, entries, folder)
    table: PerformanceTable | None = None
    video: str | None = None
    if "video" in entries:
        video = str(_path(reader, entries["video"], folder))
    elif "file" in entries:
        table = _table(reader, entries, folder, options)
    return Performance(
        place=node.place,
        table=table,
        video=video,
        start=reader.instant(entries["start"]) if "start" in entries else ZERO,
        trim=_ends(reader, entries["trim"]) if "trim" in entries else None,
        speed=reader.number(entries["speed"], 0.01, 100) if "speed" in entries else 1.0,
        gap=reader.duration(entries["gap"]) if "gap" in entries else DEFAULT_GAP,
        from_neutral=relative,
        neutral=_ends(reader, entries["neutral"]) if "neutral" in entries else None,
        gains=_gains(reader, entries["gain"]) if "gain" in entries else {},
        track=options.track,
        smoothing=smoothing,
    )


def _path(reader: Reader, node: Node, folder: Path | None) -> Path:
    return (folder or Path()) / reader.text(node)


def _options(reader: Reader, entries: Mapping[str, Node], folder: Path | None) -> Options:
    track = int(reader.number(entries["track"], 0, 1000)) if "track" in entries else 0
    fps = reader.number(entries["fps"], 1, 1000) if "fps" in entries else None
    arkit = _path(reader, entries["table"], folder) if "table" in entries else None
    return Options(track, fps, arkit)


def _table(
    reader: Reader, entries: Mapping[str, Node], folder: Path | None, options: Options
) -> PerformanceTable | None:
    known = ("auto", *TABLE_FORMATS, "otio")
    name = reader.choice(entries["format"], known, "auto") if "format" in entries else "auto"
    path = _path(reader, entries["file"], folder)
    try:
        return read_table(path, name, options)
    except KeyframeError as error:
        reader.error(entries["file"].place, str(error))
        return None


def _ends(reader: Reader, node: Node) -> tuple[Instant, Instant] | None:
    ends = node.items()
    if len(ends) != 2:
        reader.error(node.place, f"got {node.kind()}; expected [start, end]")
        return None
    start, end = (reader.instant(end) for end in ends)
    if end.is_after(start) is False:
        reader.error(node.place, f"{start} to {end} ends before it starts")
    return start, end


def _gains(reader: Reader, node: Node) -> dict[int, float]:
    if not isinstance(node.value, Mapping):
        return dict.fromkeys(AU_ORDER, reader.number(node, -10, 10))
    gains: dict[int, float] = {}
    for name, item in node.value.items():
        place = Node(name, node.key_places[name])
        au = reader.attempt(place, lambda name=name: parse_au(name), 0)
        gains[au] = reader.number(item, -10, 10)
    return gains

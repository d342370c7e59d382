"""The `import` of a curve file: tables, driving videos, OpenTimelineIO."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from keyframes.au import CODE_COLUMNS, AUCode
from keyframes.checked_yaml.located import Node
from keyframes.checked_yaml.reader import Reader
from keyframes.clock.instant import ZERO, Instant
from keyframes.clock.rates import parse_frame_rate
from keyframes.curves.smooth import Smoothing
from keyframes.errors import KeyframeError
from keyframes.facs import parse_code
from keyframes.formats.recognise import TABLE_FORMATS, read_table
from keyframes.formats.rows.options import Options
from keyframes.sources.performance import MeasuredPerformance, PerformanceTable

COMMON_FIELDS = ("file", "start")
TABLE_FIELDS = (
    "video", "format", "table", "aus", "relative", "neutral", "gain", "trim", "speed", "gap",
    "align", "track", "clip", "person", "confidence", "scale", "fps",
)  # fmt: skip
ALIGNMENTS = ("start", "timecode")
IMPORT_FIELDS = (*COMMON_FIELDS, *TABLE_FIELDS, "markers")


def import_entries(reader: Reader, node: Node) -> Mapping[str, Node]:
    """The settings of an import; a bare path is its file."""
    if isinstance(node.value, str):
        return {"file": node}
    entries = reader.mapping(node, IMPORT_FIELDS, "an import")
    if ("file" in entries) == ("video" in entries) and isinstance(node.value, dict):
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
) -> MeasuredPerformance:
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
    return MeasuredPerformance(
        place=node.place,
        table=table,
        video=video,
        start=reader.instant(entries["start"]) if "start" in entries else ZERO,
        trim=_ends(reader, entries["trim"]) if "trim" in entries else None,
        speed=reader.number(entries["speed"], 0.01, 100) if "speed" in entries else 1.0,
        gap=reader.duration(entries["gap"]) if "gap" in entries else None,
        is_by_timecode=_is_by_timecode(reader, entries),
        from_neutral=relative,
        neutral=_ends(reader, entries["neutral"]) if "neutral" in entries else None,
        gains=_gains(reader, entries["gain"]) if "gain" in entries else {},
        aus=options.aus,
        track=options.track,
        smoothing=smoothing,
    )


def _path(reader: Reader, node: Node, folder: Path | None) -> Path:
    return (folder or Path()) / reader.text(node)


def _options(reader: Reader, entries: Mapping[str, Node], folder: Path | None) -> Options:
    own = Options()
    return Options(
        track=reader.whole(entries["track"], 0, 1000) if "track" in entries else own.track,
        fps=_rate(reader, entries["fps"]) if "fps" in entries else None,
        arkit_table=_path(reader, entries["table"], folder) if "table" in entries else None,
        clip=_name(reader, entries.get("clip")),
        person=_name(reader, entries.get("person")),
        confidence=reader.number(entries["confidence"], 0, 1)
        if "confidence" in entries
        else own.confidence,
        scale=reader.number(entries["scale"], 1e-3, 1e6) if "scale" in entries else None,
        aus=_aus(reader, entries["aus"]) if "aus" in entries else None,
    )


def _rate(reader: Reader, node: Node) -> Fraction | None:
    value = node.scalar()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        reader.error(node.place, f"got {node.kind()}; expected a frame rate like 25 or 29.97")
        return None
    return reader.attempt(node, lambda: parse_frame_rate(str(value)), None)


def _name(reader: Reader, node: Node | None) -> str | None:
    if node is None:
        return None
    value = node.scalar()
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        reader.error(node.place, f"got {node.kind()}; expected a name as the table has it")
        return None
    return str(value)


def _aus(reader: Reader, node: Node) -> tuple[AUCode, ...]:
    """`[1, 2, AU04, 43]`: the AUs that are taken, in the order they are written."""
    nodes = node.items() or (node,)
    found = [
        reader.attempt(item, lambda item=item: parse_code(str(item.scalar())), 0) for item in nodes
    ]
    return tuple(dict.fromkeys(au for au in found if au))


def _is_by_timecode(reader: Reader, entries: Mapping[str, Node]) -> bool:
    if "align" not in entries:
        return False
    node = entries["align"]
    chosen = reader.choice(node, ALIGNMENTS, "start") == "timecode"
    if chosen and "video" in entries:
        reader.error(node.place, "align: timecode goes with tables; a driving video takes start")
    if chosen and "speed" in entries:
        reader.error(node.place, "align: timecode plays at its own speed; leave speed out")
    return chosen


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


def _gains(reader: Reader, node: Node) -> dict[AUCode, float]:
    if not isinstance(node.value, dict):
        return dict.fromkeys(CODE_COLUMNS, reader.number(node, -10, 10))
    gains: dict[AUCode, float] = {}
    for name, item in node.value.items():
        place = Node(name, node.key_places[name])
        au = reader.attempt(place, lambda name=name: parse_code(name), 0)
        gains[au] = reader.number(item, -10, 10)
    return gains

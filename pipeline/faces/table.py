"""The analysis table: what was measured, one row per frame and face, as Parquet or CSV.

Columns, in order:

    video     path of the source                      time_s   seconds on the clip's clock
    frame     number in presentation order, from 0    pts      of the frame, in its time base
    field     0 a whole frame, or both fields of one  time_s is the second field's own, half a
              moment; of an interlaced frame          frame after the frame's
              1 the first field shown, 2 the second
    track     face number, 0 = largest; empty where no face was found in the frame
    score     presence, 0…1                           yaw, pitch, roll   degrees
    AU1 … AU26   intensity, 0…5                       x0, y0, x1, y1     box, pixels of the upright
    AU43R, AU43L   eye shut, 0…5; the person's        picture with square pixels
              own right (image left) and left         bridged   filled in over a short gap
    cut       the frame starts a new shot             landmarks_px       68 points x, y, likewise
    hands_px  two hands at the face, 21 points each   (Parquet alone; NaN where there is none)

A shot that goes on for minutes counts as several (pipeline/faces/stretches.py), also as cuts. A
frame without a face has one row, with an empty track and NaN for all that was not measured. In
CSV the landmarks are columns `lx0, ly0, … lx67, ly67`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.columns import BLOCK, Column, Spool, blank, blocks, from_arrow, to_arrow
from pipeline.faces.columns import FACE_COLUMNS
from pipeline.faces.faces import Analysis, Rests
from pipeline.files import published
from pipeline.media.read.inspection import Inspection
from pipeline.pictures import SECOND, times_of

SUFFIXES = (".parquet", ".csv")
BOOL = Column((), np.bool_)
NEUTRAL = "aureel:neutral"
"""Key of the schema's metadata with each face's features at rest, shot by shot, as JSON."""
IN_FIELDS = "aureel:fields"
"""Key with first and last of each run of frames that are fields; absent where none is."""
ONE_MOMENT = "aureel:one_moment"
"""Likewise, of frames whose fields show one moment and are taken together."""
COVERS = "aureel:covers"
"""Key with the number of frames, and first and last of each run of them that the table covers."""


def to_table(analysis: Analysis, inspection: Inspection) -> pa.Table:
    """The public table of one video, sorted by frame, field, then track."""
    return pa.concat_tables(_parts(analysis, inspection))


def _parts(analysis: Analysis, inspection: Inspection) -> Iterator[pa.Table]:
    """The table some rows at a time, at least once."""
    lost = np.flatnonzero(analysis.faceless)
    frame = np.concatenate([analysis.frame, lost])
    track = np.concatenate([analysis.track, np.full(len(lost), -1)])
    field = np.concatenate([analysis.field, np.zeros(len(lost), np.int8)])
    order = np.lexsort((track, field, frame))
    for part in blocks(len(order)) if len(order) else [slice(0)]:
        rows = order[part]
        yield _part(analysis, inspection, rows, frame[rows], track[rows])


def _part(
    analysis: Analysis,
    inspection: Inspection,
    rows: NDArray[np.intp],
    frame: NDArray[np.int64],
    track: NDArray[np.int64],
) -> pa.Table:
    """Rows of the analysis, or beyond them rows of frames without a face."""
    seen = rows < len(analysis.frame)
    values = blank(FACE_COLUMNS, len(rows))
    for name, column in values.items():
        column[seen] = getattr(analysis, name)[rows[seen]]
    values |= {"frame": frame, "track": track}
    columns = to_arrow(FACE_COLUMNS, values) | {"track": pa.array(track, mask=track < 0)}
    times_s = times_of(inspection.times_s, frame, values["field"])
    last = {name: columns.pop(name) for name in ("landmarks_px", "hands_px")}
    table = pa.table(
        {
            "video": pa.array([inspection.info.path] * len(frame), pa.string()),
            "frame": columns.pop("frame"),
            "field": columns.pop("field"),
            "pts": inspection.index.pts[frame],
            "time_s": times_s,
            **columns,
            "cut": analysis.cut[frame],
            **last,
        }
    )
    return table.replace_schema_metadata(_told(analysis))


def _told(analysis: Analysis) -> dict[str, str]:
    rests = [[*place, rest.tolist()] for place, rest in analysis.neutral.items()]
    covers = [analysis.frames, _runs(analysis.covered)]
    told = {NEUTRAL: json.dumps(rests), COVERS: json.dumps(covers)}
    flags = {IN_FIELDS: _runs(analysis.in_fields), ONE_MOMENT: _runs(analysis.one_moment)}
    return told | {key: json.dumps(runs) for key, runs in flags.items() if runs}


def _runs(flags: NDArray[np.bool_]) -> list[list[int]]:
    """First and last of each run of frames for which a flag is set."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return [[first, end - 1] for first, end in edges.reshape(-1, 2).tolist()]


def _flags(runs: list[list[int]], frames: int) -> NDArray[np.bool_]:
    """What `_runs` tells."""
    flags = np.zeros(frames, bool)
    for first, last in runs:
        flags[first : last + 1] = True
    return flags


def from_table(table: pa.Table) -> Analysis:
    """The analysis of one video, from its table."""
    return _from_parts(table.to_batches(), table.schema)


def _from_parts(parts: Iterable[pa.RecordBatch], schema: pa.Schema) -> Analysis:
    """Like `from_table`, of a table some rows at a time; of hours, none is held in memory."""
    rows, cuts = Spool(FACE_COLUMNS), Spool({"frame": Column((), np.int64), "cut": BOOL})
    for part in parts:
        table = pa.Table.from_batches([part])
        cuts.add({"frame": table["frame"].to_numpy(), "cut": table["cut"].to_numpy()})
        rows.add(from_arrow(FACE_COLUMNS, table.filter(table["track"].is_valid())))
    every, found = cuts.arrays(), rows.arrays()
    frames, uncovered = _covers(schema, every["frame"])
    cut = np.zeros(frames, bool)
    cut[every["frame"]] = every["cut"]
    order = np.lexsort((found["field"], found["frame"], found["track"]))
    in_order = Spool(FACE_COLUMNS)
    for part in blocks(len(order)):
        in_order.add({name: values[order[part]] for name, values in found.items()})
    return Analysis(
        frames, **in_order.arrays(), cut=cut, neutral=_neutral(schema), uncovered=uncovered,
        in_fields=_flagged(schema, IN_FIELDS, frames),
        one_moment=_flagged(schema, ONE_MOMENT, frames),
    )  # fmt: skip


def _neutral(schema: pa.Schema) -> Rests:
    rests = json.loads((schema.metadata or {}).get(NEUTRAL.encode(), "[]"))
    return {(first, track): np.array(rest, np.float32) for first, track, rest in rests}


def _flagged(schema: pa.Schema, key: str, frames: int) -> NDArray[np.bool_]:
    told = (schema.metadata or {}).get(key.encode())
    return np.zeros(0, bool) if told is None else _flags(json.loads(told), frames)


def _covers(schema: pa.Schema, frame: NDArray[np.int64]) -> tuple[int, NDArray[np.bool_]]:
    """How many frames the clip has, and which the table does not speak of; none in older ones."""
    told = (schema.metadata or {}).get(COVERS.encode())
    if told is None:
        return int(frame.max()) + 1, np.zeros(0, bool)
    frames, runs = json.loads(told)
    uncovered = ~_flags(runs, frames)
    return frames, uncovered if uncovered.any() else np.zeros(0, bool)


def _landmarks(table: pa.Table) -> NDArray[np.float32]:
    return table["landmarks_px"].combine_chunks().flatten().to_numpy()


def write_analysis(path: Path, analysis: Analysis, inspection: Inspection) -> None:
    """Publishes one video's table."""
    parts = _parts(analysis, inspection)
    first = next(parts)
    with published(path) as partial, pq.ParquetWriter(partial, first.schema) as writer:
        writer.write_table(first)
        for part in parts:
            writer.write_table(part)


def read_analysis(path: Path) -> Analysis:
    """The analysis that `write_analysis` published."""
    with pq.ParquetFile(path) as file:
        return _from_parts(file.iter_batches(BLOCK), file.schema_arrow)


def read_covered(path: Path) -> NDArray[np.bool_] | None:
    """`(N,)` the frames of which `write_analysis` published anything; None without a table."""
    try:
        schema = pq.read_schema(path)
    except FileNotFoundError:
        return None
    frames, uncovered = _covers(schema, np.zeros(1, np.int64))
    return ~uncovered if len(uncovered) else np.ones(frames, bool)


def read_analysis_of(video: str, path: Path) -> Analysis:
    """The analysis of one video, frame by frame, from a Parquet file that `write_tables` joined."""
    rows = [("video", "==", video), ("field", "!=", SECOND)]
    found = from_table(pq.read_table(path, filters=rows))
    return replace(found, field=np.zeros_like(found.field))


def write_tables(output: Path, tables: Mapping[str, Path]) -> None:
    """Joins the tables of several videos, source → table, into one Parquet or CSV file."""
    with published(output) as partial:
        if output.suffix.lower() == ".csv":
            joined = pa.concat_tables([_flat(_of(v, p)) for v, p in tables.items()])
            pa_csv.write_csv(joined, partial)
            return
        schema = pq.read_schema(next(iter(tables.values()))).remove_metadata()
        with pq.ParquetWriter(partial, schema) as writer:
            for video, path in tables.items():
                writer.write_table(_of(video, path).replace_schema_metadata())


def _of(video: str, path: Path) -> pa.Table:
    """A kept table under the name its video has now: all names of one file share it."""
    table = pq.read_table(path)
    return table.set_column(0, "video", pa.array([video] * len(table), pa.string()))


def _flat(table: pa.Table) -> pa.Table:
    points = _landmarks(table).reshape(-1, 136)
    names = [f"l{axis}{point}" for point in range(68) for axis in "xy"]
    flat = table.drop_columns(["landmarks_px", "hands_px"])
    for name, values in zip(names, points.T, strict=True):
        flat = flat.append_column(name, pa.array(values))
    return flat

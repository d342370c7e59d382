"""One clip's pairs: its chosen frames decoded once, cropped as an editor sees them, as rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engines.editors.magicface.conditioning.background import Conditioner, to_uint8
from engines.editors.magicface.training.examples.pairs import SCHEMA
from pipeline import affine
from pipeline.faces.align import display_from_squares, face_squares
from pipeline.faces.faces import Analysis
from pipeline.files import published
from pipeline.media.colour import crop_rgb
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import Inspection
from pipeline.pairs.pictures import CropSettings, Seen, pictured, seen
from pipeline.pairs.rules import (
    PairRules,
    added,
    choose_pairs,
    choose_single,
    pose_change,
    shots,
)
from pipeline.pairs.synthetic import made_change, warped

SHARPNESS_SIZE = 256
COUNTS = b"aureel:counts"
FAR_GAP = 250
"""Frames between two wanted ones from which on seeking is cheaper than decoding on."""


def make_clip(
    inspection: Inspection,
    analysis: Analysis,
    rules: PairRules,
    crops: CropSettings,
    part: Path,
    sha256: str,
) -> None:
    """Writes the pairs of a clip, with counts in the schema's metadata; maybe none.

    Args:
        sha256: of the footage.
    Raises:
        MediaError: a frame that cannot be decoded; nothing is written then.
    """
    rows: list[dict[str, Any]] = []
    counts: dict[str, Any] = {}
    for track, shot in _faces(analysis):
        own, told = _of_face(inspection, analysis, (track, shot), rules, crops)
        rows += [row | {"clip": sha256} for row in own]
        counts = added(counts, told)
    write_part(part, rows, counts)


def write_part(part: Path, rows: list[dict[str, Any]], counts: dict[str, Any]) -> None:
    """Rows of one clip or person, with counts in the schema's metadata; what a folder gives them
    (number, split, who it is) is left open."""
    metadata = {COUNTS: json.dumps(counts)}
    whole = [{"pair": 0, "split": "", "identity": ""} | row for row in rows]
    with published(part) as partial:
        table = pa.Table.from_pylist(whole, schema=SCHEMA.with_metadata(metadata))
        pq.write_table(table, partial, row_group_size=64)


def _of_face(
    inspection: Inspection,
    analysis: Analysis,
    face: tuple[int, int],
    rules: PairRules,
    crops: CropSettings,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of one face in one shot, and what each rule left."""
    chosen = choose_pairs(analysis, inspection.times_s, *face, rules)
    single = choose_single(analysis, *face, rules)
    numbers = sorted({*chosen.source.tolist(), *chosen.target.tolist(), *single.tolist()})
    faces = dict(_cut_out(inspection, analysis, numbers, crops))
    pairs = zip(chosen.source.tolist(), chosen.target.tolist(), strict=True)
    kept, told = _kept(pairs, faces, analysis, rules)
    times = inspection.times_s[analysis.frame]
    rows = [
        _row(analysis, s, t, times) | {"kind": "footage"} | pictured(faces[s], faces[t], crops.dots)
        for s, t in kept
    ]
    moved = _warped_rows(analysis, [n for n in single.tolist() if n in faces], faces, rules, crops)
    return rows + moved, chosen.counts | told | {"warped": len(moved)}


def _warped_rows(
    analysis: Analysis,
    numbers: list[int],
    faces: dict[int, Seen],
    rules: PairRules,
    crops: CropSettings,
) -> list[dict[str, Any]]:
    """One frame each, and the same moved by the rig."""
    conditioner = Conditioner(crops.mask)
    rows: list[dict[str, Any]] = []
    sharp = [n for n in numbers if sharpness(faces[n].large) >= rules.min_sharpness]
    for place in range(rules.warped_per_face if sharp else 0):
        number = sharp[place % len(sharp)]
        change = made_change(np.random.default_rng([rules.seed, 5, number, place]))
        moved = warped(faces[number], analysis.pose[number], change, crops, conditioner)
        rows.append(
            _row(analysis, number, number)
            | {"kind": "warped"}
            | pictured(faces[number], moved, crops.dots)
            | {"target_au": analysis.intensity[number] + change, "au": change}
        )
    return rows


def _faces(analysis: Analysis) -> list[tuple[int, int]]:
    """(track, shot) of every face."""
    shot = shots(analysis)[analysis.frame]
    return sorted(set(zip(analysis.track.tolist(), shot.tolist(), strict=True)))


def _cut_out(
    inspection: Inspection, analysis: Analysis, rows: list[int], crops: CropSettings
) -> Iterator[tuple[int, Seen]]:
    conditioner = Conditioner(crops.mask)
    by_frame = {int(analysis.frame[row]): row for row in rows}
    info = inspection.info
    for number, frame in _frames(inspection, sorted(by_frame)):
        row = by_frame[number]
        landmarks = analysis.landmarks_px[row]
        display = display_from_squares(face_squares(landmarks[None]), crops.cut_size)[0]
        coded = affine.compose(info.coded_from_display, display)
        image = to_uint8(crop_rgb(frame, info, coded, crops.cut_size))
        points = affine.apply(affine.inverse(display), landmarks).astype(np.float32)
        yield row, seen(image, points, crops, conditioner)


def _frames(inspection: Inspection, numbers: list[int]) -> Iterator[tuple[int, Any]]:
    """Some frames of a clip in order; near ones in one run of the decoder."""
    info, index = inspection.info, inspection.index
    breaks = np.flatnonzero(np.diff(numbers) > FAR_GAP) + 1
    for run in np.split(np.array(numbers, np.int64), breaks):
        if not len(run):
            continue
        wanted, first = set(run.tolist()), int(run[0])
        frames = decode_range(info.path, info, index, first, int(run[-1]))
        yield from ((n, frame) for n, frame in enumerate(frames, first) if n in wanted)


def sharpness(image: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian at a fixed size (Pech-Pacheco et al. 2000)."""
    side = (SHARPNESS_SIZE, SHARPNESS_SIZE)
    grey = cv2.cvtColor(cv2.resize(image, side, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def background_change(one: Seen, other: Seen) -> float:
    """Mean difference where neither shows the person, levels of 255; 0 where that is nowhere."""
    shown = ~(one.mask | other.mask)
    if not shown.any():
        return 0.0
    difference = np.abs(one.image[shown].astype(np.int16) - other.image[shown])
    return float(difference.mean())


def _kept(
    pairs: Iterator[tuple[int, int]],
    seen: dict[int, Seen],
    analysis: Analysis,
    rules: PairRules,
) -> tuple[list[tuple[int, int]], dict[str, int]]:
    """Pairs that also pass what only pictures tell, up to as many as are asked for."""
    sharp = {row: sharpness(face.large) >= rules.min_sharpness for row, face in seen.items()}
    kept: list[tuple[int, int]] = []
    counts = {"sharp": 0, "of another pose or background": 0, "pairs": 0}
    for source, target in pairs:
        if not (sharp[source] and sharp[target]):
            continue
        counts["sharp"] += 1
        turned = pose_change(analysis, source, target) >= rules.min_pose_change
        if not turned and background_change(seen[source], seen[target]) < (
            rules.min_background_change
        ):
            continue
        counts["of another pose or background"] += 1
        if len(kept) < rules.footage_per_face:
            kept.append((source, target))
    counts["pairs"] = len(kept)
    return kept, counts


def _row(
    analysis: Analysis, source: int, target: int, times_s: NDArray[np.float64] | None = None
) -> dict[str, Any]:
    """Columns that are no pictures."""
    apart = 0.0 if times_s is None else abs(float(times_s[target] - times_s[source]))
    return {
        "track": int(analysis.track[source]),
        "source_frame": int(analysis.frame[source]),
        "target_frame": int(analysis.frame[target]),
        "distance_s": apart,
        "pose_change": pose_change(analysis, source, target),
        "source_au": analysis.intensity[source],
        "target_au": analysis.intensity[target],
        "au": analysis.intensity[target] - analysis.intensity[source],
    }

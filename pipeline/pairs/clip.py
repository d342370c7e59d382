"""One clip's pairs: its chosen frames decoded once, cropped as an editor sees them, as rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engines.editors.magicface.conditioning.background import Conditioner, dotted, to_uint8
from engines.editors.magicface.training.examples.pairs import SCHEMA
from pipeline import affine
from pipeline.faces.align import display_from_squares, face_squares
from pipeline.faces.faces import Analysis
from pipeline.files import published
from pipeline.media.colour import crop_rgb
from pipeline.media.read.decode import decode_range
from pipeline.media.read.inspection import Inspection
from pipeline.pairs.rules import PairRules, added, choose_pairs, pose_change, shots

SHARPNESS_SIZE = 256
COUNTS = b"aureel:counts"
FAR_GAP = 250
"""Frames between two wanted ones from which on seeking is cheaper than decoding on."""


@dataclass(frozen=True)
class CropSettings:
    """How pairs are cut out.

    Attributes:
        size: side of the pictures, pixels.
        mask: `person` or `face`, what the background loses.
        dots: whose jaw it shows: the `target`'s, as in the paper, or the `source`'s, as where the
            model is used.
    """

    size: int = 512
    mask: str = "person"
    dots: str = "target"


@dataclass(frozen=True)
class _Seen:
    """A face in a frame, cut out."""

    image: NDArray[np.uint8]
    landmarks_px: NDArray[np.float32]
    mask: NDArray[np.bool_]


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
        chosen = choose_pairs(analysis, inspection.times_s, track, shot, rules)
        numbers = sorted({*chosen.source.tolist(), *chosen.target.tolist()})
        seen = dict(_cut_out(inspection, analysis, numbers, crops))
        pairs = zip(chosen.source.tolist(), chosen.target.tolist(), strict=True)
        kept, told = _kept(pairs, seen, analysis, rules)
        counts = added(counts, chosen.counts | told)
        times = inspection.times_s[analysis.frame]
        rows += [
            _row(s, t, seen, analysis, times, crops) | {"clip": sha256, "identity": ""}
            for s, t in kept
        ]
    metadata = {COUNTS: json.dumps(counts)}
    with published(part) as partial:
        table = pa.Table.from_pylist(rows, schema=SCHEMA.with_metadata(metadata))
        pq.write_table(table, partial, row_group_size=64)


def _faces(analysis: Analysis) -> list[tuple[int, int]]:
    """(track, shot) of every face."""
    shot = shots(analysis)[analysis.frame]
    return sorted(set(zip(analysis.track.tolist(), shot.tolist(), strict=True)))


def _cut_out(
    inspection: Inspection, analysis: Analysis, rows: list[int], crops: CropSettings
) -> Iterator[tuple[int, _Seen]]:
    conditioner = Conditioner(crops.mask)
    by_frame = {int(analysis.frame[row]): row for row in rows}
    info = inspection.info
    for number, frame in _frames(inspection, sorted(by_frame)):
        row = by_frame[number]
        landmarks = analysis.landmarks_px[row]
        display = display_from_squares(face_squares(landmarks[None]), crops.size)[0]
        coded = affine.compose(info.coded_from_display, display)
        image = to_uint8(crop_rgb(frame, info, coded, crops.size))
        points = affine.apply(affine.inverse(display), landmarks).astype(np.float32)
        mask, _ = conditioner.mask(image, points)
        yield row, _Seen(image, points, mask)


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


def background_change(one: _Seen, other: _Seen) -> float:
    """Mean difference where neither shows the person, levels of 255; 0 where that is nowhere."""
    shown = ~(one.mask | other.mask)
    if not shown.any():
        return 0.0
    difference = np.abs(one.image[shown].astype(np.int16) - other.image[shown])
    return float(difference.mean())


def _kept(
    pairs: Iterator[tuple[int, int]],
    seen: dict[int, _Seen],
    analysis: Analysis,
    rules: PairRules,
) -> tuple[list[tuple[int, int]], dict[str, int]]:
    """Pairs that also pass what only pictures tell, up to as many as are asked for."""
    sharp = {row: sharpness(face.image) >= rules.min_sharpness for row, face in seen.items()}
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
        if len(kept) < rules.pairs_per_face:
            kept.append((source, target))
    counts["pairs"] = len(kept)
    return kept, counts


def _row(
    source: int,
    target: int,
    seen: dict[int, _Seen],
    analysis: Analysis,
    times_s: NDArray[np.float64],
    crops: CropSettings,
) -> dict[str, Any]:
    one, other = seen[source], seen[target]
    dots = other if crops.dots == "target" else one
    background = dotted(other.image, other.mask, dots.landmarks_px)
    return {
        "pair": 0,
        "split": "",
        "track": int(analysis.track[source]),
        "source_frame": int(analysis.frame[source]),
        "target_frame": int(analysis.frame[target]),
        "distance_s": abs(float(times_s[target] - times_s[source])),
        "pose_change": pose_change(analysis, source, target),
        "source": _png(one.image),
        "target": _png(other.image),
        "background": _png(background),
        "mask": _png(other.mask.astype(np.uint8) * 255),
        "source_landmarks": one.landmarks_px.reshape(-1),
        "target_landmarks": other.landmarks_px.reshape(-1),
        "source_au": analysis.intensity[source],
        "target_au": analysis.intensity[target],
        "au": analysis.intensity[target] - analysis.intensity[source],
    }


def _png(image: NDArray[np.uint8]) -> bytes:
    coded = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", coded)[1].tobytes()

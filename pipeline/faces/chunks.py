"""Frames in, a table of faces and AUs out: per chunk first, then linked over the whole video.

A chunk holds one row per face found; faces.py makes a video's faces of all its chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.interface import AUEstimator, Face, FaceTracker
from engines.trackers.mesh.jaw import with_mesh_jaw
from pipeline.faces.columns import CHUNK_ARRAYS, FACE_COLUMNS, SEEN
from pipeline.faces.cuts import signature
from pipeline.faces.hands import HandWatch
from pipeline.faces.moments import FieldSteps
from pipeline.files import published
from pipeline.media.read.decoding.reader import Reader, Shown, analysis_frames
from pipeline.media.read.inspection import Inspection
from pipeline.pictures import FIRST, SECOND

BATCH_FRAMES = 16
"""Frames held at once by an analysis task."""

Found = tuple[Shown, Face, NDArray[np.float32], NDArray[np.float32]]
"""Picture, without its pixels, face, its features, hands at it."""
NO_PIXELS = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True)
class Chunk:
    """What was found in a run of frames.

    Attributes:
        frame: `(M,)` int64, frame number of each face.
        field: `(M,)` int8, in which of its pictures (pipeline/pictures.py).
        score: `(M,)` float32; pose: `(M, 3)` float32 yaw, pitch, roll in degrees.
        box: `(M, 4)` float32; landmarks_px: `(M, 68, 2)` float32, display pixels.
        hands_px: `(M, 2, 21, 2)` float32, display pixels: hands at the face, NaN where none.
        features: `(M, K)` float32, what the AU estimator measured.
        signatures: `(F, S)` uint8, one thumbnail per *frame* of the chunk.
        in_fields: `(K,)` int64, numbers of its frames that are fields; steps: `(K,)` float32, how
            far the second has gone to the next frame (moments.py), NaN where nobody moves.
    """

    frame: NDArray[np.int64]
    field: NDArray[np.int8]
    score: NDArray[np.float32]
    pose: NDArray[np.float32]
    box: NDArray[np.float32]
    landmarks_px: NDArray[np.float32]
    hands_px: NDArray[np.float32]
    features: NDArray[np.float32]
    signatures: NDArray[np.uint8]
    in_fields: NDArray[np.int64]
    steps: NDArray[np.float32]


def analyse_frames(
    inspection: Inspection,
    first: int,
    last: int,
    tracker: FaceTracker,
    estimator: AUEstimator,
    reader: Reader = "av",
    on_batch: Callable[[], None] = lambda: None,
) -> Chunk:
    """Tracks and measures frames first…last (inclusive).

    Args:
        on_batch: called as each batch of frames is measured.
    """
    info, index = inspection.info, inspection.index
    shown = analysis_frames(info.path, info, index, first, last, reader=reader)
    return analyse_pictures(shown, tracker, estimator, on_batch)


def analyse_pictures(
    shown: Iterator[Shown],
    tracker: FaceTracker,
    estimator: AUEstimator,
    on_batch: Callable[[], None] = lambda: None,
) -> Chunk:
    """As `analyse_frames`, of pictures that are decoded; at least one."""
    found: list[Found] = []
    in_fields: list[int] = []
    watch, between = HandWatch(), FieldSteps()
    signatures: list[NDArray[np.uint8]] = []
    for pictures in _batches(shown):
        images = [picture.rgb for picture in pictures]
        seen = tracker.track(images)
        faces = [with_mesh_jaw(image, found) for image, found in zip(images, seen, strict=True)]
        features = estimator.measure(images, faces)
        signatures += [signature(picture.rgb) for picture in pictures if picture.field != SECOND]
        in_fields += [picture.frame for picture in pictures if picture.field == FIRST]
        for picture, seen, measured in zip(pictures, faces, features, strict=True):
            between.see(picture, [face.box for face in seen])
            hands, place = watch.see(picture.rgb, seen), picture._replace(rgb=NO_PIXELS)
            found += [(place, *row) for row in zip(seen, measured, hands, strict=True)]
        on_batch()
    steps = [between.steps.get(number, np.nan) for number in in_fields]
    return _chunk(found, np.stack(signatures), len(estimator.feature_names), in_fields, steps)


def _batches(frames: Iterator[Shown]) -> Iterator[list[Shown]]:
    while batch := list(islice(frames, BATCH_FRAMES)):
        yield batch


def _chunk(
    found: Sequence[Found],
    signatures: NDArray[np.uint8],
    features: int,
    in_fields: list[int],
    steps: list[float],
) -> Chunk:
    rows: dict[str, list[Any]] = {
        "frame": [picture.frame for picture, *_ in found],
        "field": [picture.field for picture, *_ in found],
        "score": [face.score for _, face, *_ in found],
        "pose": [(face.yaw, face.pitch, face.roll) for _, face, *_ in found],
        "box": [face.box for _, face, *_ in found],
        "landmarks_px": [face.landmarks_px for _, face, *_ in found],
        "hands_px": [hands for *_, hands in found],
    }
    columns = {name: FACE_COLUMNS[name] for name in SEEN}
    return Chunk(
        **{n: np.array(rows[n], c.dtype).reshape(-1, *c.shape) for n, c in columns.items()},
        features=np.array([measured for _, _, measured, _ in found], np.float32).reshape(
            -1, features
        ),
        signatures=signatures,
        in_fields=np.array(in_fields, np.int64),
        steps=np.array(steps, np.float32),
    )


def write_chunk(path: Path, chunk: Chunk) -> None:
    """Publishes a chunk as .npz."""
    with published(path) as partial:
        np.savez(partial, **{name: getattr(chunk, name) for name in CHUNK_ARRAYS})


def read_signatures(path: Path) -> NDArray[np.uint8]:
    """`(F, S)`: of the chunk that `write_chunk` published, the thumbnails alone."""
    with np.load(path) as stored:
        return stored["signatures"]


def read_chunk(path: Path) -> Chunk:
    """The chunk that `write_chunk` published."""
    with np.load(path) as stored:
        return Chunk(**{name: stored[name] for name in CHUNK_ARRAYS})

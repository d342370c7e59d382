"""Folders of pairs as `make-pairs` writes them, drawn instead of filmed."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engines.editors.magicface.training.examples.pairs import (
    FACTS,
    HELD_OUT,
    PARTS,
    SCHEMA,
    TRAIN,
    PairsFacts,
    Provenance,
)

LEAVE = Provenance("shot.mp4", "own footage", "form 7", may_train=True)


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def row(number: int, size: int, **others: Any) -> dict[str, Any]:
    rng = np.random.default_rng(number)
    pictures = rng.integers(0, 256, (3, size, size, 3), np.uint8)
    source_au, target_au = rng.uniform(0, 5, (2, 12)).astype(np.float32)
    held = number % 4 == 3
    return {
        "pair": number,
        "clip": "a" * 64,
        "identity": "somebody else" if held else "somebody",
        "split": HELD_OUT if held else TRAIN,
        "kind": "footage",
        "track": 0,
        "source_frame": number,
        "target_frame": number + 30,
        "distance_s": 1.0,
        "pose_change": 6.0,
        **dict(zip(("source", "target", "background"), map(png, pictures), strict=True)),
        "mask": png(pictures[0, :, :, 0]),
        "source_landmarks": [0.0] * 136,
        "target_landmarks": [0.0] * 136,
        "source_au": source_au.tolist(),
        "target_au": target_au.tolist(),
        "au": (target_au - source_au).tolist(),
    } | others


def write_pairs(
    folder: Path,
    rows: list[dict[str, Any]] | None = None,
    *,
    size: int = 64,
    facts: dict[str, Any] | None = None,
) -> Path:
    """Eight pairs of two people in two files, unless other rows are given."""
    rows = [row(number, size) for number in range(8)] if rows is None else rows
    (folder / PARTS).mkdir(parents=True)
    for number in range(2):
        part = pa.Table.from_pylist(rows[number::2], schema=SCHEMA)
        pq.write_table(part, folder / PARTS / f"part-{number:05d}.parquet")
    said = PairsFacts(size, len(rows), "libreface", "target", {"a" * 64: LEAVE}, {}).as_json()
    (folder / FACTS).write_text(json.dumps(said | (facts or {})))
    return folder

"""A sheet of pairs as a PNG: source, target and background side by side, with the AU change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engines.editors.magicface.training.examples.pairs import part_files
from keyframes.au import AU_NAMES
from pipeline.files import published

SIDE = 128
ROWS, COLUMNS = 8, 3
BAND = 18
"""Pixels below the pictures for a line of text."""
_NAMES = ("source", "target", "background")


def draw_pairs_sheet(folder: Path, path: Path) -> None:
    """Up to 24 pairs of a folder of pairs, evenly spread over it."""
    files = part_files(folder)
    lengths = [pq.read_metadata(file).num_rows for file in files]
    wanted = np.unique(np.linspace(0, sum(lengths) - 1, ROWS * COLUMNS).astype(int))
    blocks: list[NDArray[np.uint8]] = []
    first = 0
    for file, length in zip(files, lengths, strict=True):
        here = [int(n) - first for n in wanted if first <= n < first + length]
        if here:
            rows = pq.read_table(file, columns=[*_NAMES, "pair", "split", "au"]).take(here)
            blocks += [_block(row) for row in rows.to_pylist()]
        first += length
    blocks += [np.zeros_like(blocks[0])] * (-len(blocks) % COLUMNS)
    lines = [np.hstack(blocks[at : at + COLUMNS]) for at in range(0, len(blocks), COLUMNS)]
    with published(path) as partial:
        partial.write_bytes(cv2.imencode(".png", np.vstack(lines))[1].tobytes())


def _block(row: dict[str, Any]) -> NDArray[np.uint8]:
    """`(SIDE + BAND, 3·SIDE + 6, 3)` BGR."""
    pictures: list[Any] = [cv2.imdecode(np.frombuffer(row[n], np.uint8), 1) for n in _NAMES]
    small = [
        cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for picture in pictures
    ]
    block = np.zeros((SIDE + BAND, 3 * SIDE + 6, 3), np.uint8)
    block[:SIDE, : 3 * SIDE] = np.hstack(small)
    text = f"{row['pair']} {row['split']}: {_largest(np.array(row['au']))}"
    cv2.putText(block, text, (3, SIDE + 13), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (255,) * 3, 1, 16)
    return block


def _largest(au: NDArray[np.float64], most: int = 4) -> str:
    """`AU12 +3.1 AU25 -2.0`: the largest changes."""
    order = np.argsort(-np.abs(au))[:most]
    return (
        " ".join(f"{AU_NAMES[n]} {au[n]:+.1f}" for n in order if abs(au[n]) >= 0.1) or "no change"
    )

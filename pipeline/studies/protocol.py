"""The paper's protocol, a share at a time: stills made and measured, and what is kept of them.

A share is one person and some cells; its rows lie in one file that appears whole, so that a run
which was killed goes on from what it has.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.choice import Engine
from engines.interface import AUEstimator, FaceEditor, FaceTracker, RGBFrame
from keyframes.au import AU_ORDER, AUDelta, AUIntensity
from pipeline.files import published
from pipeline.quality.metrics.au_error import reachable
from pipeline.quality.metrics.background import background_error
from pipeline.quality.metrics.geometry import moved_units
from pipeline.quality.metrics.pose import head_rotation
from pipeline.quality.regions import outside_mask
from pipeline.quality.shot import judges
from pipeline.rows import StageRow, StudyRow, stage_row
from pipeline.settings import AnalysisSettings, digest_of
from pipeline.stages import Stopwatch
from pipeline.studies.design import Cell, Mode
from pipeline.studies.identities import Identity, plate_of
from pipeline.studies.shares import PLATES, keep_rows, share_of
from pipeline.studies.sitter import Seen, Sitter

VERSION = 1
"""Raise when a still is made or measured otherwise: shares on disk are then made anew."""
SHARE = 64
"""Cells of one share: seconds of work for the preview, half a minute for MagicFace on a GPU."""


@dataclass(frozen=True)
class ProtocolSettings:
    """How the stills of one editor are made and measured.

    Attributes:
        judge: tracker and estimator.
        keep: folder in which the stills are kept as PNG; "" keeps none.
    """

    judge: AnalysisSettings
    editor: Engine
    cells: tuple[Cell, ...]
    modes: tuple[Mode, ...]
    seed: int = 424
    keep: str = ""

    @cached_property
    def digest(self) -> str:
        """All that a row depends on but the person."""
        asked = [cell.name for cell in self.cells]
        facts = (self.judge.digest, self.editor.identity, asked, self.modes, self.seed, self.keep)
        return digest_of(VERSION, *facts)

    @property
    def engines(self) -> tuple[Engine, Engine, Engine]:
        return self.judge.tracker, self.judge.estimator, self.editor

    def shares(self, identity: Identity, work: Path) -> list[StudyRow]:
        """All shares of one person."""
        starts = range(0, len(self.cells), SHARE)
        digest = digest_of(self.digest, identity.digest)
        return [
            share_of(identity, work, n, first, min(first + SHARE, len(self.cells)) - 1, digest)
            for n, first in enumerate(starts)
        ]

    def run(
        self, row: StudyRow, tracker: FaceTracker, estimator: AUEstimator, editor: FaceEditor
    ) -> StageRow:
        """Makes and measures one share."""
        clock = Stopwatch()
        identity = Identity(row["video"], row["source"], row["identity"])
        plate = plate_of(identity, Path(row["work"]) / PLATES)
        sitter = Sitter(plate, tracker, estimator)
        asked = self.cells[row["first"] : row["last"] + 1]
        rows = self._stills(sitter, identity.name, asked, editor)
        keep_rows(row, rows)
        return stage_row(row["video"], "still", row["number"], frames=len(rows), **clock.read())

    def _stills(
        self, sitter: Sitter, name: str, asked: tuple[Cell, ...], editor: FaceEditor
    ) -> list[dict[str, Any]]:
        wanted: list[tuple[Cell, Mode]] = [(c, mode) for mode in self.modes for c in asked]
        deltas = [cell.delta(mode, sitter.seen.intensity) for cell, mode in wanted]
        # A face that reads as 0 is asked the same by both modes; it is made once.
        distinct = {delta.tobytes(): number for number, delta in reversed([*enumerate(deltas)])}
        order = sorted(distinct.values())
        pictures = sitter.made(editor, np.array([deltas[n] for n in order]), self.seed)
        figures: dict[bytes, dict[str, Any]] = {}
        ruler = StillRuler(sitter)
        for number, picture in zip(order, pictures, strict=True):
            delta = deltas[number]
            figures[delta.tobytes()] = ruler.measured(picture, delta)
            if self.keep:
                cell, mode = wanted[number]
                keep_picture(Path(self.keep) / name / f"{cell.name}.{mode}.png", picture)
        return [
            {"person": name, "cell": cell.name, "kind": cell.kind, "mode": mode,
             "aus": cell.aus, "levels": cell.levels,
             **figures[delta.tobytes()]}
            for (cell, mode), delta in zip(wanted, deltas, strict=True)
        ]  # fmt: skip


def keep_picture(path: Path, picture: RGBFrame) -> None:
    """Publishes a PNG."""
    with published(path) as partial:
        cv2.imwrite(str(partial), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


@dataclass(frozen=True)
class StillFigures:
    """One still against its picture; NaN where no face was found in it.

    Attributes:
        au_mse: mean squared error of the units asked for, against what an estimator can reach.
        au_mse_12: the same of all twelve; those that were not asked for shall stay.
        identity: distance of the two embeddings.
        background: RMSE outside the grown hulls, 0…1 of full scale; nothing was encoded.
        rotation, pitch: degrees.
        read, moved: mean share of what was asked, as read and by geometry.
    """

    au_mse: float
    au_mse_12: float
    identity: float
    background: float
    rotation: float
    pitch: float
    read: float
    moved: float


class StillRuler:
    """Measures edits of one sitter; the picture itself is measured once."""

    def __init__(self, sitter: Sitter) -> None:
        self._sitter = sitter
        self._embedding = judges()[0].embed(sitter.picture, sitter.seen.face.landmarks_px)

    def measured(self, picture: RGBFrame, delta: NDArray[np.float32]) -> dict[str, Any]:
        """Figures, and the twelve intensities asked, measured and achieved, as plain values."""
        before, after = self._sitter.seen, self._sitter.read(picture)
        nothing = np.full(len(AU_ORDER), np.nan)
        achieved = nothing if after is None else after.intensity
        known = None if after is None else self._figures(picture, before, after, delta)
        figures = known or StillFigures(*[float("nan")] * 8)
        return {
            "found": after is not None,
            **{name: plain(value) for name, value in asdict(figures).items()},
            "asked": [plain(v) for v in delta],
            "measured": [plain(v) for v in before.intensity],
            "achieved": [plain(v) for v in achieved],
        }

    def _figures(
        self, picture: RGBFrame, before: Seen, after: Seen, delta: NDArray[np.float32]
    ) -> StillFigures:
        points = before.face.landmarks_px, after.face.landmarks_px
        best = reachable(AUDelta(delta[None]), AUIntensity(before.intensity[None]))[0]
        squares = (after.intensity - best) ** 2
        asked = delta != 0.0
        turned, pitch = head_rotation(before.pose[None], after.pose[None])
        moved = moved_units(points[0][None], points[1][None], asked, before.pose[None, 0])[0]
        outside = outside_mask(picture.shape, points)
        embedding = judges()[0].embed(picture, points[1])
        return StillFigures(
            au_mse=_mean(squares[asked]),
            au_mse_12=float(squares.mean()),
            identity=float(np.linalg.norm(embedding - self._embedding)),
            background=background_error(self._sitter.picture, picture, outside),
            rotation=float(turned[0]),
            pitch=float(pitch[0]),
            read=_share(after.intensity - before.intensity, best - before.intensity),
            moved=_share(moved, delta),
        )


def _share(got: NDArray[np.floating], asked: NDArray[np.floating]) -> float:
    """Mean of got over asked, of the units of which at least half a unit is asked."""
    clear = np.abs(asked) >= 0.5
    return _mean(got[clear] / asked[clear])


def _mean(values: NDArray[np.floating]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def plain(value: Any) -> float | None:
    """A number for JSON; None where it is not known."""
    return round(float(value), 5) if np.isfinite(value) else None

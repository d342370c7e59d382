"""Stimuli for research: an expression that comes, stays and goes on a still face.

Every frame is asked for by a curve at its own time; equal ones in a row share an edit. What became
of it is read from the frames of the written file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engines.choice import Engine
from engines.interface import AUEstimator, FaceEditor, FaceTracker, RGBFrame
from keyframes.au import AU_NAMES, AU_ORDER, AUIntensity
from keyframes.clock.instant import parse_duration
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError
from keyframes.load import parse_sheet
from pipeline.errors import PipelineError
from pipeline.files import published
from pipeline.media.read.decoding.decode import decode_range, display_rgb
from pipeline.media.read.inspection import inspect_video
from pipeline.media.write.pictures import PictureWriter
from pipeline.rows import StageRow, StudyRow, stage_row
from pipeline.settings import AnalysisSettings, digest_of
from pipeline.stages import Stopwatch
from pipeline.studies.design import Cell, Mode
from pipeline.studies.identities import Identity, plate_of, read_picture
from pipeline.studies.protocol import keep_picture, plain
from pipeline.studies.shares import PLATES, keep_rows, share_of
from pipeline.studies.sitter import Sitter

VERSION = 1
"""Raise when a stimulus is made or measured otherwise: shares on disk are then made anew."""
Form = Literal["video", "still"]
PARTS = ("before", "onset", "apex", "offset", "after")
"""Of a stimulus, in order; `before` and `after` show the face as it is and may be left out."""
CRF = 10
"""x264's; a face of 512² keeps 50 dB and more."""
LONGEST_S = 60.0


@dataclass(frozen=True)
class Timing:
    """How long each part of a stimulus lasts, seconds."""

    onset: float
    apex: float
    offset: float
    before: float = 0.0
    after: float = 0.0

    @property
    def total_s(self) -> float:
        return self.before + self.onset + self.apex + self.offset + self.after

    @property
    def apex_s(self) -> float:
        """The middle of the apex."""
        return self.before + self.onset + self.apex / 2

    def curve(self, delta: NDArray[np.floating], easing: str) -> str:
        """A curve file that asks for `(12,)` at the apex, by delta, rising and falling."""
        ends = np.cumsum([self.before, self.onset, self.apex, self.offset])
        shares = (0.0, 1.0, 1.0, 0.0)
        lines = ["version: 1", "channels:"]
        for name, value in zip(AU_NAMES, delta, strict=True):
            if value:
                keys = ", ".join(
                    f"[{end:.6g}s, {share * float(value):.5g}, {easing}]"
                    for end, share in zip(ends, shares, strict=True)
                )
                lines.append(f"  {name}: [{keys}]")
        return "\n".join(lines) + "\n"


def read_timing(text: str, rate: Fraction) -> Timing:
    """`onset=500ms,apex=1s,offset=12f`, in any order.

    Raises:
        PipelineError: a part that is unknown, missing, said twice, no length, or too long in all.
    """
    parts: dict[str, float] = {}
    clock = Timeline(np.zeros(1), 1.0, rate)
    for word in text.replace(",", " ").split():
        name, equals, length = word.partition("=")
        if not equals or name not in PARTS or name in parts:
            raise PipelineError(
                f"--timing {text}: got {word!r}; expected onset=…,apex=…,offset=… and, where "
                "wanted, before=…,after=…, each once"
            )
        try:
            found = parse_duration(length)
        except KeyframeError as error:
            raise PipelineError(f"--timing {text}: {error}") from None
        if found.share:
            raise PipelineError(f"--timing {text}: {word}: a share of what is not known yet")
        parts[name] = found.at(clock)
    if missing := [name for name in ("onset", "apex", "offset") if name not in parts]:
        raise PipelineError(f"--timing {text}: {', '.join(missing)} is missing, e.g. onset=500ms")
    timing = Timing(**parts)
    if timing.apex <= 0 or timing.onset <= 0 or timing.offset <= 0:
        raise PipelineError(f"--timing {text}: onset, apex and offset take time; got 0")
    if timing.total_s > LONGEST_S:
        raise PipelineError(f"--timing {text}: {timing.total_s:g} s in all; at most {LONGEST_S:g}")
    return timing


@dataclass(frozen=True)
class StimuliSettings:
    """How stimuli are made.

    Attributes:
        judge: tracker and estimator that read what was achieved.
        cells: what is asked of every person; one without units is the neutral baseline.
        folder: where the stimuli go.
    """

    judge: AnalysisSettings
    editor: Engine
    cells: tuple[Cell, ...]
    mode: Mode
    timing: Timing
    rate: Fraction
    form: Form
    easing: str
    seed: int
    folder: str

    @cached_property
    def digest(self) -> str:
        """All that a share depends on but the person and the cell."""
        facts = (self.judge.digest, self.editor.identity, self.mode, asdict(self.timing), self.form)
        return digest_of(VERSION, *facts, str(self.rate), self.easing, self.seed, self.folder)

    @property
    def engines(self) -> tuple[Engine, Engine, Engine]:
        return self.judge.tracker, self.judge.estimator, self.editor

    @property
    def times_s(self) -> NDArray[np.float64]:
        """`(N,)` of a stimulus's frames; of a still, its one moment."""
        if self.form == "still":
            return np.array([self.timing.apex_s])
        return np.arange(max(2, round(self.timing.total_s * self.rate))) / float(self.rate)

    def shares(self, identity: Identity, work: Path) -> list[StudyRow]:
        """One per stimulus of a person."""
        return [
            share_of(identity, work, n, n, n, digest_of(self.digest, identity.digest, cell.name))
            for n, cell in enumerate(self.cells)
        ]

    def path_of(self, identity: str, cell: Cell) -> Path:
        """Where a stimulus goes."""
        suffix = ".png" if self.form == "still" else ".mp4"
        return Path(self.folder) / identity / f"{cell.name}{suffix}"

    def run(
        self, row: StudyRow, tracker: FaceTracker, estimator: AUEstimator, editor: FaceEditor
    ) -> StageRow:
        """Makes one stimulus and reads what it became."""
        clock = Stopwatch()
        identity = Identity(row["video"], row["source"], row["identity"])
        sitter = Sitter(plate_of(identity, Path(row["work"]) / PLATES), tracker, estimator)
        cell = self.cells[row["number"]]
        deltas, curve = self._asked(sitter, cell)
        path = self.path_of(identity.name, cell)
        self._write(path, sitter, deltas, editor)
        achieved = self._achieved(path, sitter)
        told = {
            "person": identity.name,
            "cell": cell.name,
            "aus": cell.aus,
            "levels": cell.levels,
            "file": str(path.relative_to(self.folder)),
            "curve": curve,
            "measured": [plain(v) for v in sitter.seen.intensity],
            "time_s": [round(float(t), 6) for t in self.times_s],
            "asked": [[plain(v) for v in one] for one in deltas],
            "achieved": [[plain(v) for v in one] for one in achieved],
        }
        keep_rows(row, [told])
        frames = len(deltas)
        return stage_row(row["video"], "stimulus", row["number"], frames=frames, **clock.read())

    def _asked(self, sitter: Sitter, cell: Cell) -> tuple[NDArray[np.float32], str]:
        """`(N, 12)` deltas of the frames, and the curve file that says them."""
        times = self.times_s
        if not cell.aus:
            return np.zeros((len(times), len(AU_ORDER)), np.float32), ""
        curve = self.timing.curve(cell.delta(self.mode, sitter.seen.intensity), self.easing)
        timeline = Timeline(times, self.timing.total_s, self.rate)
        measured = AUIntensity(np.repeat(sitter.seen.intensity[None], len(times), axis=0))
        return parse_sheet(curve, cell.name).deltas(timeline, measured).values, curve

    def _write(
        self, path: Path, sitter: Sitter, deltas: NDArray[np.float32], editor: FaceEditor
    ) -> None:
        begins = np.append(True, (np.diff(deltas, axis=0) != 0.0).any(axis=1))
        runs = deltas[begins]
        active = np.any(runs, axis=1)
        made = sitter.made(editor, runs[active], self.seed)
        pictures = (next(made) if is_active else sitter.picture for is_active in active.tolist())
        if self.form == "still":
            keep_picture(path, next(pictures))
            return
        size = sitter.picture.shape[1], sitter.picture.shape[0]
        picture = sitter.picture
        with (
            published(path) as partial,
            PictureWriter(partial, size, 1 / self.rate, self.rate, crf=CRF) as writer,
        ):
            for number, is_new in enumerate(begins.tolist()):
                picture = next(pictures) if is_new else picture
                writer.show(picture, number)

    def _achieved(self, path: Path, sitter: Sitter) -> NDArray[np.float32]:
        """`(N, 12)` read from the file's own frames; NaN where no face was found."""
        seen = (sitter.read(picture) for picture in _pictures(path))
        blank = np.full(len(AU_ORDER), np.nan, np.float32)
        return np.array([blank if one is None else one.intensity for one in seen])


def _pictures(path: Path) -> Iterator[RGBFrame]:
    if path.suffix == ".png":
        yield read_picture(path)
        return
    made = inspect_video(str(path))
    frames = decode_range(str(path), made.info, made.index, 0, made.frames - 1)
    yield from (display_rgb(frame, made.info) for frame in frames)


def apex_figures(stimulus: dict[str, Any], apex_s: float) -> dict[str, Any]:
    """What a stimulus shows in the middle of its apex, by unit asked: level, asked, achieved."""
    at = int(np.argmin(np.abs(np.array(stimulus["time_s"]) - apex_s)))
    columns = [AU_ORDER.index(au) for au in stimulus["aus"]]
    return {
        "frame": at,
        "asked": [stimulus["asked"][at][column] for column in columns],
        "measured": [stimulus["measured"][column] for column in columns],
        "achieved": [stimulus["achieved"][at][column] for column in columns],
    }

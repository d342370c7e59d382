"""What a run is asked to do, as plain values that travel to every task and actor."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from engines.choice import Engine
from engines.segmenters.file import SegmenterFile
from keyframes.clock.part import Part
from keyframes.sheet import KeyframeSheet

ANALYSIS_VERSION = 8
"""Raise when tracking, linking or AU formulas change: analyses on disk are then made anew."""
RENDER_VERSION = 8
"""Raise when cropping, editing, pasting or encoding change: pieces on disk are then made anew."""

Moments = Literal["auto", "one", "two"]
"""How many the fields of a frame show: two, one (PsF), or what pipeline/faces/moments.py finds."""


@dataclass(frozen=True)
class AnalysisSettings:
    """How faces are found and measured; its digest names an analysis on disk.

    Attributes:
        reader: what decodes the frames, of pipeline/media/read/decoding/reader.py.
        stuck_after: seconds without progress after which work counts as hung; without, by its size.
        moments: how many the fields of a frame show: `one`, `two`, or `auto` by what moves.
    """

    tracker: Engine
    estimator: Engine
    reader: Literal["av", "decord", "nvdec"] = "av"
    stuck_after: float | None = None
    moments: Moments = "auto"

    @property
    def digest(self) -> str:
        readers = [self.reader] if self.reader != "av" else []  # what "av" made keeps its name
        engines = (self.tracker.identity, self.estimator.identity)
        moments = [{"fields": self.moments}] if self.moments != "auto" else []
        return digest_of(ANALYSIS_VERSION, *engines, *readers, *moments)

    @property
    def gpu_share(self) -> float:
        """Of one GPU, for one actor with both engines; 0 = tasks on cores."""
        return max(self.tracker.gpu_share, self.estimator.gpu_share)


@dataclass(frozen=True)
class EncodeWish:
    """How an output is to be encoded where it need not be as its source.

    Attributes:
        quality: `match` the source, `high` (50 dB and more), `lossless`, or a CRF as text.
        codec: `same`, or the name of another.
        bit_depth: bits per sample, or None for the source's.
        untouched: `copy` the packets of what no edit enters, or `encode` all.
        allow: losses that are accepted though they are refused by default.
        encoder: `cpu` or `nvenc`.
    """

    quality: str = "match"
    codec: str = "same"
    bit_depth: int | None = None
    untouched: str = "copy"
    allow: tuple[str, ...] = ()
    encoder: Literal["cpu", "nvenc"] = "cpu"

    @property
    def told(self) -> dict[str, Any]:
        """For digests: what was made before there was a choice of encoder keeps its name."""
        said = asdict(self)
        if self.encoder == "cpu":
            del said["encoder"]
        return said


@dataclass(frozen=True)
class ElementWish:
    """What compositors get beside an output, by the kind of file; None = not asked for.

    Attributes:
        matte: the edit's matte and layer: `prores`, `ffv1`, `png` or `exr`.
        sequence: the output's own frames as pictures: `png` or `exr`.
    """

    matte: str | None = None
    sequence: str | None = None


@dataclass(frozen=True)
class RenderSettings:
    """How the deltas reach the picture.

    Attributes:
        sheet: the curve of all videos; None where each row names its own.
        segmenter: what tells hair and skin apart, where somebody brought it.
        stuck_after: as of the analysis.
        only: the part of each clip that is made; None for all of it.
    """

    sheet: KeyframeSheet | None
    editor: Engine
    encode_preset: str = "medium"
    encode: EncodeWish = EncodeWish()
    elements: ElementWish = ElementWish()
    seed: int = 424
    border: str = "replicate"
    segmenter: SegmenterFile | None = None
    overwrite: bool = False
    plot: bool = False
    stuck_after: float | None = None
    only: Part | None = None

    @property
    def editor_digest(self) -> str:
        """All but the curve: what a piece depends on besides its own deltas."""
        how = (self.encode_preset, self.encode.told, self.seed, self.border)
        beside: list[Any] = [asdict(self.elements)] if self.elements != ElementWish() else []
        beside += [{"segmenter": self.segmenter.sha256}] if self.segmenter else []
        return digest_of(RENDER_VERSION, self.editor.identity, *how, *beside)


@dataclass(frozen=True)
class JudgeSettings:
    """How outputs are judged.

    Attributes:
        judge: tracker and estimator that measure both clips.
        sheet: the curve, unless a row names its own; None judges the picture alone.
        faces: tracks to judge; empty takes those that the curve addresses, else the largest.
        editor: name of the editor, "" where not known.
        encode_preset: of the output.
        pages: output → where its page goes; without, beside it as `<name>.qa.html`.
        planner: what the edit was planned with, where that is known.
        crop_size: least side of that editor's crops, pixels.
        own_units: it moved faces as their shots show them to, if it can.
        only: the part of their clips that the outputs show.
    """

    judge: AnalysisSettings
    sheet: KeyframeSheet | None = None
    faces: tuple[int, ...] = ()
    editor: str = ""
    encode_preset: str = "medium"
    pages: dict[str, str] = field(default_factory=dict[str, str])
    planner: AnalysisSettings | None = None
    crop_size: int = 512
    own_units: bool = True
    only: Part | None = None


def digest_of(*values: Any) -> str:
    """16 hex digits that change when any of the JSON-able values does."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

"""What a run is asked to do, as plain values that travel to every task and actor."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from keyframes.sheet import KeyframeSheet

ANALYSIS_VERSION = 2
"""Raise when tracking, linking or AU formulas change: analyses on disk are then made anew."""
RENDER_VERSION = 1
"""Raise when cropping, editing, pasting or encoding change: pieces on disk are then made anew."""


@dataclass(frozen=True)
class EngineChoice:
    """An engine by its registry name, with its keyword settings (JSON values)."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    weights_digest: str = ""


@dataclass(frozen=True)
class AnalysisSettings:
    """How faces are found and measured; its digest names an analysis on disk."""

    tracker: EngineChoice = EngineChoice("mesh")
    estimator: EngineChoice = EngineChoice("mesh")

    @property
    def digest(self) -> str:
        return digest_of(ANALYSIS_VERSION, asdict(self))


@dataclass(frozen=True)
class RenderSettings:
    """How the deltas reach the picture.

    Attributes:
        crop_size: side of the editor's crops, pixels.
        seconds_per_edit: rough cost of one edited frame, for the length of segments.
    """

    sheet: KeyframeSheet
    editor: EngineChoice
    crop_size: int = 512
    seconds_per_edit: float = 0.02
    encode_preset: str = "medium"
    seed: int = 424
    overwrite: bool = False
    plot: bool = False

    @property
    def engine_digest(self) -> str:
        """All but the curve: what a piece depends on besides its own deltas."""
        return digest_of(RENDER_VERSION, asdict(self.editor), self.encode_preset, self.seed)


def digest_of(*values: Any) -> str:
    """16 hex digits that change when any of the JSON-able values does."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

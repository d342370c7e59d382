"""What every AU estimator asks of its input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from engines.errors import EngineError


def check_measured(frames: Sequence[Any], faces: Sequence[Any]) -> None:
    """Raises EngineError unless every frame has its list of faces."""
    if len(frames) != len(faces):
        raise EngineError(
            f"AU features: got {len(frames)} frames and faces of {len(faces)}; "
            "expected as many of each"
        )


def check_features(features: NDArray[Any], names: tuple[str, ...]) -> None:
    """Raises EngineError unless there is a column per feature name."""
    if features.ndim != 2 or features.shape[1] != len(names):
        raise EngineError(f"AU features: got {features.shape}; expected (N, {len(names)})")


def check_neutral(neutral: NDArray[Any], names: tuple[str, ...]) -> None:
    """Raises EngineError unless there is a value per feature name."""
    if neutral.shape != (len(names),):
        raise EngineError(f"neutral features: got {neutral.shape}; expected ({len(names)},)")

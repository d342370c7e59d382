"""Agreement with Blender's own evaluation (recorded; see golden/README.md)."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from keyframes.bezier import HandleRequest, place_handles
from keyframes.curve import CYCLES, Curve

GOLDEN = Path(__file__).parent / "golden"
BEYOND = {"repeat": "cycle", "repeat_offset": "cycle_offset", "mirror": "ping_pong"}
Array = NDArray[np.float64]


@cache
def random_curves() -> ModuleType:
    spec = importlib.util.spec_from_file_location("random_curves", GOLDEN / "random_curves.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["random_curves"] = module
    spec.loader.exec_module(module)
    return module


def single(values: list[float] | list[tuple[float, float]]) -> Array:
    """As Blender stores them."""
    return np.array(values, np.float32).astype(np.float64)


def ours(index: int) -> Curve:
    """Curve number `index` through our own handles."""
    made = random_curves().random_curve(index)
    keys = made.keys
    times, values = single([k.time for k in keys]), single([k.value for k in keys])
    outside = "hold" if made.extrapolation == "constant" else "linear"
    before, after = (BEYOND.get(mode, outside) for mode in made.cycles)
    requests: list[HandleRequest] = []
    for side in ("left", "right"):
        kinds = np.array([getattr(key, f"{side}_kind") for key in keys])
        given = np.isin(kinds, ["free", "aligned"])[:, None]
        offsets = single([getattr(key, side) for key in keys])
        requests.append(HandleRequest(kinds, np.where(given, offsets, np.nan)))
    left, right = place_handles(
        times,
        values,
        *requests,
        flat_ends=(outside == "hold",) * 2,
        cyclic={before, after} <= CYCLES,
    )
    return Curve(
        times,
        values,
        np.array([key.interpolation for key in keys]),
        np.array([key.easing for key in keys]),
        left,
        right,
        np.array([key.back for key in keys]),
        np.array([key.amplitude for key in keys]),
        np.array([key.period for key in keys]),
        before,
        after,
    )


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.float32]]:
    with np.load(GOLDEN / "blender_curves.npz") as stored:
        return {name: stored[name] for name in ("values", "handles")}


def test_a_thousand_random_curves_agree_with_blender(golden: dict[str, Array]) -> None:
    made = random_curves()
    assert len(golden["values"]) == made.CURVES >= 1000
    for index, theirs in enumerate(golden["values"]):
        times = np.float64(np.float32(made.random_curve(index).times))
        error = np.abs(ours(index).at(times) - theirs)
        allowed = 1e-4 * np.maximum(1, np.abs(theirs) / 10)
        assert (error <= allowed).all(), (index, error.max(), made.random_curve(index))


def test_handles_are_where_blender_puts_them(golden: dict[str, Array]) -> None:
    for index, stored in enumerate(golden["handles"]):
        curve = ours(index)
        placed = np.concatenate([curve.left, curve.right], axis=1)
        theirs = stored[: len(curve.times_s)]
        assert np.abs(placed - theirs).max() < 1e-4, (index, random_curves().random_curve(index))

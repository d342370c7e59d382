"""Agreement with Blender's own evaluation (recorded; see golden/README.md)."""

from __future__ import annotations

import importlib.util
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from keyframes.clock.timeline import even_timeline
from keyframes.curves.bezier import HandleRequest, place_handles
from keyframes.curves.curve import CYCLES, Curve
from keyframes.load import parse_sheet
from keyframes.sources.keyed import Keyed

GOLDEN = Path(__file__).parent / "golden"
BEYOND = {"repeat": "cycle", "repeat_offset": "cycle_offset", "mirror": "ping_pong"}
Array = NDArray[np.float64]


@cache
def golden(name: str) -> ModuleType:
    """One of the scripts beside the golden files."""
    spec = importlib.util.spec_from_file_location(name, GOLDEN / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def single(values: list[float] | list[tuple[float, float]]) -> Array:
    """As Blender stores them."""
    return np.array(values, np.float32).astype(np.float64)


def ours(made: Any, *, continuous: bool) -> Curve:
    """A random curve through our own handles."""
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
        continuous=continuous,
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


@pytest.fixture(params=["blender_curves.npz", "blender_smoothed.npz"])
def recorded(request: pytest.FixtureRequest) -> list[tuple[Any, Curve, Array, Array]]:
    """Each recorded curve: as made, as ours, and Blender's values and handles of it."""
    made = golden("random_curves")
    smoothed = request.param == "blender_smoothed.npz"
    curve_of = made.smoothed_curve if smoothed else made.random_curve
    with np.load(GOLDEN / request.param) as stored:
        values, handles = stored["values"], stored["handles"]
    assert len(values) == (made.SMOOTHED_CURVES if smoothed else made.CURVES) >= 1000
    curves = [curve_of(index) for index in range(len(values))]
    found = [ours(curve, continuous=smoothed) for curve in curves]
    return list(zip(curves, found, values, handles, strict=True))


def test_a_thousand_random_curves_agree_with_blender(
    recorded: list[tuple[Any, Curve, Array, Array]],
) -> None:
    for made, curve, theirs, handles in recorded:
        times = np.float64(np.float32(made.times))
        error = np.abs(curve.at(times) - theirs)
        scale = np.maximum(np.abs(theirs), np.nanmax(np.abs(handles[:, 1::2])))
        assert (error <= 1e-4 * np.maximum(1, scale / 5)).all(), (error.max(), made)


def test_handles_are_where_blender_puts_them(
    recorded: list[tuple[Any, Curve, Array, Array]],
) -> None:
    for made, curve, _, stored in recorded:
        placed = np.concatenate([curve.left, curve.right], axis=1)
        theirs = stored[: len(curve.times_s)]
        allowed = 1e-4 * max(1, np.abs(theirs).max() / 5)
        assert (np.abs(placed - theirs) < allowed).all(), made


def test_twelve_hundred_channels_of_the_language_agree_with_blender() -> None:
    made = golden("random_channels")
    values = np.load(GOLDEN / "blender_channels.npz")["values"].astype(np.float64)
    clip = even_timeline(60.0, Fraction(24))
    assert len(values) == made.CHANNELS >= 1000
    for index, theirs in enumerate(values):
        channel = made.random_channel(index)
        sheet = parse_sheet(channel.yaml(), f"channel {index}")
        (layer,) = sheet.layers
        assert isinstance(layer.source, Keyed)
        found = layer.source.channels[12].curve(clip).at(np.float64(np.float32(channel.times)))
        allowed = 1e-4 + 1e-5 * np.where(np.abs(theirs) > 10, np.abs(theirs), 0)
        assert (np.abs(found - theirs) <= allowed).all(), channel.yaml()

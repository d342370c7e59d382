"""When a sheet may ask for anything is known before a face is measured, and never too little."""

from fractions import Fraction
from math import inf
from typing import Any

import numpy as np
import pytest

from keyframes.au import AUIntensity
from keyframes.clock.instant import Instant
from keyframes.clock.spans import ALWAYS, NEVER, within
from keyframes.clock.timeline import Timeline
from keyframes.curves.curve import EXTRAPOLATIONS, INTERPOLATIONS
from keyframes.layer import MODES, Layer
from keyframes.load import known_presets, load_sheet, parse_sheet
from keyframes.problems import Place
from keyframes.sheet import KeyframeSheet
from keyframes.sources.performance import MeasuredPerformance, PerformanceTable

CLIP = Timeline(np.arange(600) / 10, 60.0, Fraction(10))


def sheet_of(text: str) -> KeyframeSheet:
    return parse_sheet(f"version: 1\n{text}", "test.yaml")


def asked(sheet: KeyframeSheet) -> np.ndarray:
    """`(N,)` where anything is asked of a face that moves, that rests or that is not there."""
    moving = np.random.default_rng(1).uniform(0, 5, (len(CLIP.times_s), 12)).astype(np.float32)
    faces = [AUIntensity(moving), AUIntensity.level(len(moving)), AUIntensity(moving * np.nan)]
    found = [sheet.evaluate(CLIP, face, face=track) for face in faces for track in (0, 1)]
    return np.any([one.delta.active for one in found], axis=0)


def holds(sheet: KeyframeSheet) -> np.ndarray:
    active, may_be = asked(sheet), within(sheet.reach(CLIP), CLIP.times_s)
    assert not (active & ~may_be).any()
    return active


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", INTERPOLATIONS)
def test_no_interpolation_asks_outside_its_reach(kind: str, mode: str) -> None:
    rest = {"scale": 1, "absolute": 2}.get(mode, 0)
    keys = [(20, rest), (21, 0.8), (22, rest), (24, rest), (25, 0.5), (26, rest), (40, rest)]
    rows = ", ".join(f"[{at}s, {value}, {kind}]" for at, value in keys)
    sheet = sheet_of(f"layers:\n  - mode: {mode}\n    channels: {{AU12: [{rows}]}}\n")
    assert holds(sheet).any()
    if mode != "absolute" and (kind not in ("bezier", "pchip") or not rest):
        begin = 1.0 if kind == "constant" else 0.0
        assert sheet.reach(CLIP) == ((20.0 + begin, 22.0), (24.0 + begin, 26.0))


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("how", EXTRAPOLATIONS)
@pytest.mark.parametrize("values", [(0, 2, 0), (0, 0, 2), (1, 0, 0), (0, 0, 0)])
def test_no_curve_goes_on_outside_its_reach(values: tuple[int, ...], how: str, side: str) -> None:
    rows = ", ".join(f"[{20 + 2 * n}s, {value}, linear]" for n, value in enumerate(values))
    holds(sheet_of(f"channels: {{AU12: {{keys: [{rows}], {side}: {how}}}}}\n"))


@pytest.mark.parametrize(
    "smooth",
    [
        "{gaussian: 0.2s}",
        "{spring: 0.2s}",
        "{savgol: {window: 0.5s}}",
        "{one_euro: {cutoff_hz: 1}}",
    ],
)
def test_no_smoothed_curve_asks_outside_its_reach(smooth: str) -> None:
    keys = "[[20s, 0], [20.5s, 3, constant], [21s, 0]]"
    holds(sheet_of(f"channels: {{AU12: {{keys: {keys}, smooth: {smooth}}}}}\n"))


@pytest.mark.parametrize("preset", known_presets())
def test_no_preset_asks_outside_its_reach(preset: str) -> None:
    holds(load_sheet(f"{preset}.yaml"))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("pose: {AU12: 2}\n    start: 10s\n    apex: 1s", ((10.0, 12.0),)),
        ("pose: {AU12: 2}\n    mode: absolute\n    range: [10s, 10%+6s]", ((10.0, 12.0),)),
        ("channels: {AU12: [[0s, 3]]}\n    range: [30s, 31s]\n    fade: 0.2s", ((30.0, 31.0),)),
        ("channels: {AU12: [[0s, 3]]}\n    weight: [[5s, 0], [6s, 1], [7s, 0]]", ((5.0, 7.0),)),
        ("channels: {AU12: [[0s, 3]]}\n    weight: 0", NEVER),
        ("channels: {AU12: [[0s, 0], [9s, 0]]}", NEVER),
        ("channels: {AU12: [[9s, 3]]}\n    mode: absolute", ALWAYS),
        ("channels: {AU12: [[9s, 0], [10s, 3]]}", ((9.0, inf),)),
    ],
)
def test_a_layer_says_when_it_speaks(layer: str, expected: object) -> None:
    sheet = sheet_of(f"layers:\n  - {layer}\n")
    assert sheet.reach(CLIP) == expected
    holds(sheet)


def test_an_override_and_a_layer_for_another_face_count_where_they_speak() -> None:
    sheet = sheet_of(
        "layers:\n"
        "  - channels: {AU12: [[10s, 0], [11s, 3], [12s, 0]]}\n"
        "  - channels: {AU4: [[0s, 0]]}\n    blend: override\n    range: [11s, 20s]\n"
        "  - channels: {AU1: [[40s, 0], [41s, 3], [42s, 0]]}\n    faces: [1]\n"
    )
    assert sheet.reach(CLIP) == ((10.0, 12.0), (40.0, 42.0))
    holds(sheet)


def test_an_elastic_between_equal_keys_swings_and_is_known_to() -> None:
    sheet = sheet_of("channels: {AU12: [[20s, 0, elastic, auto, {amplitude: 2}], [22s, 0]]}\n")
    assert holds(sheet).any()


def performed(table: PerformanceTable | None, **how: Any) -> KeyframeSheet:
    place = Place("test.yaml")
    return KeyframeSheet("test", (Layer(MeasuredPerformance(place, table, **how), place),))


def test_a_performance_reaches_as_far_as_its_table_and_the_fade_beyond() -> None:
    values = np.random.default_rng(2).uniform(0, 5, (50, 12))
    values[:5] = np.nan
    table = PerformanceTable(np.arange(50) / 25, values, "take.csv")
    sheet = performed(table, start=Instant(seconds=20), speed=2.0)
    ((first, last),) = sheet.reach(CLIP)
    assert 19.9 < first < 20.1
    assert 20.9 < last < 21.2
    assert holds(sheet).any()


def test_a_driving_video_that_is_not_measured_may_ask_at_any_time() -> None:
    assert performed(None, video="take.mp4").reach(CLIP) == ALWAYS

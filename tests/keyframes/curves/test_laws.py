"""Laws of curves: keys, segments, holds, PCHIP, smoothing, and the easings' witness."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import easing_functions as witness
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from keyframes.clock.instant import Instant
from keyframes.clock.timeline import Timeline, even_timeline
from keyframes.curves.bezier import HANDLE_KINDS, solve_parameter
from keyframes.curves.channel import Channel, Handle, Key
from keyframes.curves.curve import EXTRAPOLATIONS, INTERPOLATIONS
from keyframes.curves.easing import EASED, EASINGS, Shape, ease
from keyframes.curves.smooth import Smoothing, smoothed
from keyframes.problems import Place

Array = NDArray[np.float64]
CLIP = even_timeline(10.0, Fraction(25))
PLACE = Place("test")
LAW = settings(
    max_examples=40,
    deadline=None,  # the machine may be busy
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)

values = st.floats(-10, 10).map(lambda x: round(x, 3))
handles = st.builds(
    Handle,
    st.sampled_from(HANDLE_KINDS),
    st.none() | st.floats(0, 3).map(lambda s: Instant(seconds=s)),
    st.floats(-5, 5),
)


@st.composite
def channels(draw: st.DrawFn, kinds: tuple[str, ...] = INTERPOLATIONS) -> Channel:
    count = draw(st.integers(1, 7))
    gaps = draw(st.lists(st.floats(0.05, 2), min_size=count, max_size=count))
    keys = [
        Key(
            Instant(seconds=time),
            draw(values),
            PLACE,
            draw(st.sampled_from(kinds)),
            draw(st.sampled_from(EASINGS)),
            draw(handles),
            draw(handles),
        )
        for time in np.cumsum(gaps).tolist()
    ]
    ends = [draw(st.sampled_from(EXTRAPOLATIONS)) for _ in "ab"]
    return Channel(tuple(keys), *ends)


def times_of(channel: Channel) -> Array:
    return channel.curve(CLIP).times_s


@LAW
@given(channels())
def test_a_curve_passes_through_its_keys(channel: Channel) -> None:
    found = channel.at(CLIP, times_of(channel))
    assert found == pytest.approx([key.value for key in channel.keys], abs=1e-9)


@LAW
@given(channels())
def test_a_curve_is_finite_everywhere(channel: Channel) -> None:
    assert np.isfinite(channel.at(CLIP, np.linspace(-30, 40, 701))).all()


@LAW
@given(channels(), st.data())
def test_the_left_key_owns_the_segment(channel: Channel, data: st.DataObject) -> None:
    """Changing the interpolation of a segment's right key changes nothing within it."""
    if len(channel.keys) < 2:
        return
    index = data.draw(st.integers(1, len(channel.keys) - 1))
    keys = list(channel.keys)
    other = data.draw(st.sampled_from(INTERPOLATIONS))
    keys[index] = Key(
        keys[index].time, keys[index].value, PLACE, other, "ease_in",
        keys[index].left, keys[index].right,
    )  # fmt: skip
    changed = Channel(tuple(keys), channel.before, channel.after)
    start, end = times_of(channel)[index - 1 : index + 1]
    inside = np.linspace(start, end, 23)
    assert np.array_equal(channel.at(CLIP, inside), changed.at(CLIP, inside))


@LAW
@given(channels(("constant",)))
def test_a_hold_is_constant_up_to_the_next_key(channel: Channel) -> None:
    times = times_of(channel)
    for index, (start, end) in enumerate(pairwise(times)):
        inside = np.linspace(start, np.nextafter(end, 0), 9)
        assert (channel.at(CLIP, inside) == channel.keys[index].value).all()


@LAW
@given(channels(("pchip",)))
def test_pchip_never_leaves_the_range_of_its_two_keys_and_is_scipys(channel: Channel) -> None:
    times = times_of(channel)
    if len(times) < 2:
        return
    at = np.linspace(times[0], times[-1], 301)
    found = channel.at(CLIP, at)
    reference = PchipInterpolator(times, [key.value for key in channel.keys])(at)
    assert found == pytest.approx(reference, abs=1e-9)
    segment = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    keyed = np.array([key.value for key in channel.keys])
    low, high = (f(keyed[segment], keyed[segment + 1]) for f in (np.minimum, np.maximum))
    assert (found >= low - 1e-9).all()
    assert (found <= high + 1e-9).all()


@LAW
@given(channels(("bezier",)))
def test_clamped_handles_never_overshoot(channel: Channel) -> None:
    keys = tuple(Key(key.time, key.value, PLACE) for key in channel.keys)
    keyed = [key.value for key in keys]
    found = Channel(keys).at(CLIP, np.linspace(0, 15, 301))
    assert min(keyed) - 1e-9 <= found.min()
    assert found.max() <= max(keyed) + 1e-9


@LAW
@given(channels(), st.floats(0.1, 3))
def test_cycles_repeat_and_offsets_go_on_where_they_ended(channel: Channel, at: float) -> None:
    if len(channel.keys) < 2:
        return
    times = times_of(channel)
    span, end = times[-1] - times[0], times[-1]
    probe = np.array([times[0] + at % span])
    step = channel.keys[-1].value - channel.keys[0].value
    for how, sign, rise in (("cycle", 1, 0), ("cycle_offset", 1, step), ("ping_pong", -1, 0)):
        moved = Channel(channel.keys, how, how)
        inside = moved.at(CLIP, probe)
        later = probe + span if sign > 0 else 2 * end - probe
        if abs(later[0] - end) > 1e-6:
            assert moved.at(CLIP, later) == pytest.approx(inside + rise, abs=1e-5)


@LAW
@given(
    st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=50),
)
def test_bezier_time_is_solved_even_where_it_is_flat_or_steep(
    rows: list[tuple[float, float, float]],
) -> None:
    x, x1, x2 = np.array(rows).T
    for first, second in ((x1, x2), (np.ones_like(x1), np.zeros_like(x2))):
        s = solve_parameter(x, first, second)
        t = 1 - s
        assert 3 * t * t * s * first + 3 * t * s * s * second + s**3 == pytest.approx(x, abs=1e-9)


CLASSES = {
    "sine": "Sine", "quad": "Quad", "cubic": "Cubic", "quart": "Quartic", "quint": "Quintic",
    "circ": "Circular",
}  # fmt: skip
FORMS = {"ease_in": "EaseIn", "ease_out": "EaseOut", "ease_in_out": "EaseInOut"}


@pytest.mark.parametrize("kind", [*CLASSES, "expo", "bounce"])
@pytest.mark.parametrize("easing", FORMS)
def test_easings_agree_with_easing_functions(kind: str, easing: str) -> None:
    """Exact but for expo, which starts at 2⁻¹⁰ there and at 0 here, and bounce, whose arcs have
    other constants there; back and elastic are other functions there and left to Blender."""
    name = CLASSES.get(kind, {"expo": "Exponential", "bounce": "Bounce"}.get(kind))
    theirs = getattr(witness, f"{name}{FORMS[easing]}")(start=0, end=1, duration=1)
    u = np.linspace(0, 1, 201)
    one, zero = np.ones_like(u), np.zeros_like(u)
    ours = ease(kind, easing, u, Shape(one, one, 1.70158 * one, zero, zero))
    reference = np.array([theirs(x) for x in u])
    tolerance = {"expo": 2e-3, "bounce": 0.06}.get(kind, 1e-9)
    assert ours == pytest.approx(reference, abs=tolerance)


@pytest.mark.parametrize("kind", EASED)
@LAW
@given(u=st.floats(1e-6, 1 - 1e-6))
def test_ease_out_is_ease_in_seen_from_the_other_end(kind: str, u: float) -> None:
    x = np.array([u])
    shape = Shape(*(np.array([v]) for v in (2.0, 1.5, 1.7, 3.0, 0.4)))
    ease_in, ease_out = ease(kind, "ease_in", x, shape), ease(kind, "ease_out", 1 - x, shape)
    assert ease_in + ease_out == pytest.approx(np.array([2.0]), abs=1e-9)


SMOOTHERS = [
    Smoothing("gaussian", Instant(seconds=0.12)),
    Smoothing("savgol", Instant(seconds=0.4)),
    Smoothing("one_euro", cutoff_hz=2.0, beta=0.3),
    Smoothing("spring", Instant(seconds=0.15)),
]


@pytest.mark.parametrize("smoothing", SMOOTHERS, ids=lambda s: s.kind)
@LAW
@given(value=values)
def test_smoothing_keeps_a_constant(smoothing: Smoothing, value: float) -> None:
    channel = Channel((Key(Instant(), value, PLACE),))
    found = smoothed(channel.curve(CLIP).at, smoothing, CLIP, CLIP.times_s)
    assert found == pytest.approx(np.full(len(found), value), abs=1e-9)


def step(at: float = 5.0, low: float = 0.0, high: float = 3.0) -> Channel:
    return Channel(
        (
            Key(Instant(), low, PLACE, "constant"),
            Key(Instant(seconds=at), high, PLACE, "constant"),
        )
    )


@pytest.mark.parametrize("smoothing", SMOOTHERS, ids=lambda s: s.kind)
@LAW
@given(at=st.floats(3, 7))
def test_smoothing_has_no_lag_and_keeps_holds(smoothing: Smoothing, at: float) -> None:
    """A step stays centred where it was keyed, and both holds keep their values away from it."""
    around = np.linspace(at - 1.5, at + 1.5, 3001)
    found = smoothed(step(at).curve(CLIP).at, smoothing, CLIP, around)
    assert found[[0, -1]] == pytest.approx([0, 3], abs=2e-3)
    half = around[np.argmax(found >= 1.5)]
    assert half == pytest.approx(at, abs=1 / 240)


@pytest.mark.parametrize("smoothing", SMOOTHERS, ids=lambda s: s.kind)
@LAW
@given(channel=channels(("linear", "bezier", "pchip", "sine")))
def test_smoothing_commutes_with_reversing_time(smoothing: Smoothing, channel: Channel) -> None:
    curve = channel.curve(CLIP).at
    end = CLIP.duration_s
    at = np.linspace(0, end, 173)
    forward = smoothed(curve, smoothing, CLIP, at)

    def mirrored(times_s: Array) -> Array:
        return curve(end - times_s)

    backward = smoothed(mirrored, smoothing, CLIP, at)[::-1]
    scale = max(1.0, float(np.abs(forward).max()))
    assert np.abs(forward - backward).max() <= 0.02 * scale


@pytest.mark.parametrize("smoothing", SMOOTHERS, ids=lambda s: s.kind)
@LAW
@given(channel=channels(("linear", "bezier", "pchip")))
def test_smoothing_keeps_the_ends_of_the_clip(smoothing: Smoothing, channel: Channel) -> None:
    held = Channel(channel.keys)
    ends = np.array([0.0, CLIP.duration_s])
    found = smoothed(held.curve(CLIP).at, smoothing, CLIP, ends)
    assert found == pytest.approx(held.at(CLIP, ends), abs=0.02)


def test_a_gaussian_is_the_gaussian_of_the_curve() -> None:
    """Against the closed form for a step: the error function."""
    from scipy.special import erf

    sigma = 0.12
    at = np.linspace(4, 6, 201)
    found = smoothed(step().curve(CLIP).at, SMOOTHERS[0], CLIP, at)
    exact = 1.5 * (1 + erf((at - 5.0) / (sigma * np.sqrt(2))))
    assert np.abs(found - exact).max() < 2e-3


def test_smoothing_does_not_depend_on_which_frames_are_asked_for() -> None:
    channel = Channel(step().keys, smoothing=SMOOTHERS[0])
    uneven = np.sort(np.random.default_rng(0).uniform(0, 10, 400))
    timeline = Timeline(uneven, 10.0, Fraction(25))
    assert np.array_equal(channel.at(timeline, uneven), channel.at(CLIP, uneven))


def test_after_effects_easy_ease_leaves_and_arrives_at_rest() -> None:
    easy = Handle("ease", speed=0.0, influence=1 / 3)
    keys = tuple(
        Key(Instant(seconds=t), v, PLACE, left=easy, right=easy) for t, v in ((1, 0), (2, 3))
    )
    found = Channel(keys).at(CLIP, np.array([1.0, 1.001, 1.5, 1.999, 2.0]))
    assert found[2] == pytest.approx(1.5)
    assert found[1] < 1e-4
    assert found[3] > 3 - 1e-4


def test_after_effects_speed_is_the_slope_at_the_key() -> None:
    out = Handle("ease", speed=4.0, influence=0.5)
    keys = (
        Key(Instant(seconds=1), 0, PLACE, right=out),
        Key(Instant(seconds=3), 3, PLACE, left=Handle("ease")),
    )
    found = Channel(keys).at(CLIP, np.array([1.0, 1.0001]))
    assert (found[1] - found[0]) / 1e-4 == pytest.approx(4.0, rel=1e-2)

"""The same random curves for Blender and for the test: pure Python, nothing but `random()`."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

INTERPOLATIONS = (
    "constant", "linear", "bezier", "sine", "quad", "cubic", "quart", "quint", "expo", "circ",
    "back", "bounce", "elastic",
)  # fmt: skip
EASINGS = ("auto", "ease_in", "ease_out", "ease_in_out")
HANDLES = ("free", "aligned", "vector", "auto", "auto_clamped")
CYCLES = ("none", "repeat", "repeat_offset", "mirror")
CURVES = len(INTERPOLATIONS) * len(EASINGS) * 20
SMOOTHED_CURVES = CURVES + 200
SAMPLES = 12


@dataclass(frozen=True)
class RandomKey:
    """A key in Blender's terms; handle offsets count for free and aligned handles only."""

    time: float
    value: float
    interpolation: str
    easing: str
    back: float
    amplitude: float
    period: float
    left_kind: str
    right_kind: str
    left: tuple[float, float]
    right: tuple[float, float]


@dataclass(frozen=True)
class RandomCurve:
    """Keys, what lies beyond them, and the times to look at."""

    keys: tuple[RandomKey, ...]
    extrapolation: str
    cycles: tuple[str, str]
    times: tuple[float, ...]


def _pick(rng: random.Random, words: tuple[str, ...]) -> str:
    return words[int(rng.random() * len(words))]


def _between(rng: random.Random, low: float, high: float) -> float:
    return low + (high - low) * rng.random()


def _key(
    rng: random.Random, time: float, value: float, shape: tuple[str, str], kinds: tuple[str, str]
) -> RandomKey:
    before, after = _between(rng, 0.1, 12), _between(rng, 0.1, 12)
    slope = _between(rng, -1, 1)
    other = slope if "aligned" in kinds else _between(rng, -1, 1)
    zero = rng.random()
    amplitude, period = _between(rng, 0, 8), _between(rng, 1, 12)
    return RandomKey(
        time,
        value,
        *shape,
        _between(rng, 0, 4),
        0.0 if zero < 0.25 else amplitude,
        0.0 if 0.15 < zero < 0.4 else period,
        *kinds,
        (-before, -before * slope),
        (after, after * other),
    )


def random_curve(index: int) -> RandomCurve:
    """Curve number `index` of CURVES."""
    rng = random.Random(index)
    shape = (INTERPOLATIONS[index % 13], EASINGS[index // 13 % 4])
    kinds = (HANDLES[index % 5], HANDLES[index // 5 % 5])
    count = 1 + int(rng.random() * 6) if index % 25 == 0 else 2 + int(rng.random() * 5)
    keys: list[RandomKey] = []
    time, value = _between(rng, -5, 5), _between(rng, -5, 5)
    for _ in range(count):
        if count == 1 or ("aligned" in kinds and kinds[0] != kinds[1]):
            # A lone key has nothing automatic, and one aligned handle needs a partner to follow.
            kinds = ("aligned", "aligned") if rng.random() < 0.5 else ("free", "free")
        keys.append(_key(rng, time, value, shape, kinds))
        time += _between(rng, 0.5, 3) if rng.random() < 0.5 else _between(rng, 3, 30)
        value = value if rng.random() < 0.15 else _between(rng, -5, 5)
        bezier = rng.random() < 0.4
        shape = ("bezier" if bezier else _pick(rng, INTERPOLATIONS), _pick(rng, EASINGS))
        kinds = (_pick(rng, HANDLES), _pick(rng, HANDLES))
    cycles = ("none", "none")
    if rng.random() < 0.2 and count > 1:
        cycles = (_pick(rng, CYCLES), _pick(rng, CYCLES))
    first, last = keys[0].time, keys[-1].time
    reach = max(last - first, 1.0)
    times = tuple(_between(rng, first - 0.5 * reach, last + 0.5 * reach) for _ in range(SAMPLES))
    return RandomCurve(tuple(keys), _pick(rng, ("constant", "linear")), cycles, times)


def automatic_curve(index: int) -> RandomCurve:
    """Bézier with automatic handles only, every other one a loop; index beyond CURVES."""
    rng = random.Random(index)
    made = random_curve(index)
    if len(made.keys) == 1:
        return made
    kinds = [_pick(rng, ("auto", "auto_clamped")) for _ in made.keys]
    keys = tuple(
        replace(key, interpolation="bezier", left_kind=kind, right_kind=kind)
        for key, kind in zip(made.keys, kinds, strict=True)
    )
    cycles = ("repeat", "repeat_offset") if index % 2 and len(keys) > 1 else ("none", "none")
    return replace(made, keys=keys, cycles=cycles)


def smoothed_curve(index: int) -> RandomCurve:
    """Curve number `index` of those recorded with auto smoothing."""
    return random_curve(index) if index < CURVES else automatic_curve(index)

"""Random channels as curve files and as Blender has them: pure Python, nothing but `random()`.

Times are seconds here and frames there, one to one. All numbers are multiples of 1/256, which
Blender's 32-bit floats hold as they are.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

CHANNELS = 1_200
SAMPLES = 12
INTERPOLATIONS = (
    "constant", "linear", "bezier", "sine", "quad", "cubic", "quart", "quint", "expo", "circ",
    "back", "bounce", "elastic",
)  # fmt: skip
KINDS = ("auto_clamped", "auto", "vector", "aligned", "free")
ONE_EXTRAPOLATION = (("hold", "hold"), ("linear", "linear"))
CYCLES = ("cycle", "cycle_offset", "ping_pong")
BLENDER_CYCLE = {"cycle": "REPEAT", "cycle_offset": "REPEAT_OFFSET", "ping_pong": "MIRROR"}


@dataclass(frozen=True)
class RandomChannel:
    """A channel in the words of a curve file; rows are `(time, value, shape)`."""

    keys: tuple[tuple[float, float, dict[str, object]], ...]
    before: str
    after: str
    continuous: bool
    times: tuple[float, ...]

    def yaml(self) -> str:
        """The curve file."""
        rows = "".join(
            f"      - {{time: {time!r}s, value: {value!r}{_more(shape)}}}\n"
            for time, value, shape in self.keys
        )
        smoothing = "continuous" if self.continuous else "none"
        return (
            "version: 1\nchannels:\n  AU12:\n"
            f"    before: {self.before}\n    after: {self.after}\n"
            f"    auto_smoothing: {smoothing}\n    keys:\n{rows}"
        )


def _more(shape: dict[str, object]) -> str:
    return "".join(f", {name}: {_flow(value)}" for name, value in shape.items())


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_flow(v) for v in value) + "]"
    return value if isinstance(value, str) else repr(value)


def _pick(rng: random.Random, words: tuple[str, ...]) -> str:
    return words[int(rng.random() * len(words))]


def _between(rng: random.Random, low: float, high: float) -> float:
    return round((low + (high - low) * rng.random()) * 256) / 256


def _shape(rng: random.Random, kinds: tuple[str, str]) -> dict[str, object]:
    shape: dict[str, object] = {"interpolation": _pick(rng, INTERPOLATIONS)}
    if rng.random() < 0.5:
        shape["interpolation"] = "bezier"
    shape["easing"] = _pick(rng, ("auto", "ease_in", "ease_out", "ease_in_out"))
    if shape["interpolation"] == "back":
        shape["back"] = _between(rng, 0, 4)
    if shape["interpolation"] == "elastic":
        shape["amplitude"] = _between(rng, 0, 8)
        shape["period"] = f"{_between(rng, 1, 12)}s"
    slope = round(_between(rng, -1, 1) * 16) / 16
    for side, kind, sign in (("left", kinds[0], -1), ("right", kinds[1], 1)):
        if kind not in ("aligned", "free"):
            shape[side] = kind
            continue
        reach = sign * _between(rng, 0.1, 12)
        rise = reach * (slope if "aligned" in kinds else _between(rng, -1, 1))
        shape[side] = {"kind": kind, "offset": (f"{reach!r}s", rise)}
    return shape


def _ends(rng: random.Random, index: int) -> tuple[str, str]:
    """Every pair that Blender has: one extrapolation, and cycles over it on either side."""
    outside = ("hold", "linear")[index % 2]
    if index % 4 < 1:
        return outside, outside
    before, after = _pick(rng, (outside, *CYCLES)), _pick(rng, (outside, *CYCLES))
    return before, after


def random_channel(index: int) -> RandomChannel:
    """Channel number `index` of CHANNELS; a third has the default keys that people write."""
    rng = random.Random(10_000 + index)
    count = 1 + int(rng.random() * 6) if index % 20 == 0 else 2 + int(rng.random() * 5)
    plain = index % 3 == 0
    time, value = _between(rng, -5, 5), _between(rng, -5, 5)
    keys: list[tuple[float, float, dict[str, object]]] = []
    for _ in range(count):
        kinds = (_pick(rng, KINDS), _pick(rng, KINDS))
        if count == 1 or ("aligned" in kinds and kinds[0] != kinds[1]):
            kinds = ("aligned", "aligned") if rng.random() < 0.5 else ("free", "free")
        shape = _shape(rng, kinds)
        keys.append((time, value, {} if plain else shape))
        time += _between(rng, 0.5, 3) if rng.random() < 0.5 else _between(rng, 3, 30)
        value = value if rng.random() < 0.15 else _between(rng, -5, 5)
    before, after = _ends(rng, index) if count > 1 else ("hold", "hold")
    first, last = keys[0][0], keys[-1][0]
    reach = max(last - first, 1.0)
    times = tuple(_between(rng, first - 2.5 * reach, last + 2.5 * reach) for _ in range(SAMPLES))
    return RandomChannel(tuple(keys), before, after, index % 5 < 2, times)

"""Keyed channels in the form that the Blender add-on reads: JSON's way of writing YAML."""

from __future__ import annotations

import json
from typing import Any

from keyframes.clock.timeline import Timeline
from keyframes.curves.channel import Channel, Handle, Key
from keyframes.curves.curve import Curve
from keyframes.errors import KeyframeError
from keyframes.layer import Layer
from keyframes.sheet import KeyframeSheet
from keyframes.sources.keyed import Keyed


def blender_text(sheet: KeyframeSheet, timeline: Timeline) -> tuple[str, list[str]]:
    """The keyed channels of a sheet's one layer, times in seconds, and what is lost.

    Raises:
        KeyframeError: layers, weights, smoothing or poses, which Blender has no place for.
    """
    layer = _only_layer(sheet)
    assert isinstance(layer.source, Keyed)
    notes: list[str] = []
    channels: dict[str, Any] = {}
    for au, channel in layer.source.channels.items():
        ends = channel.before, channel.after
        if channel.smoothing is not None:
            raise KeyframeError(f"{sheet.name}: AU{au} is smoothed; take smooth out, or bake it")
        if any(end == "ping_pong_offset" for end in ends):
            raise KeyframeError(f"{sheet.name}: AU{au}: Blender has no ping_pong_offset")
        if set(ends) == {"hold", "linear"}:
            notes.append(f"AU{au}: Blender has one extrapolation for both ends; linear is taken")
        channels[f"AU{au}"] = _channel(channel, timeline)
    mode = layer.source.modes or ({} if layer.mode == "delta" else {"all": layer.mode})
    if mode:
        notes.append("what the numbers mean (mode) is not kept in Blender; the values are")
    return _written(sheet.name, channels), notes


def _only_layer(sheet: KeyframeSheet) -> Layer:
    plain = [
        layer
        for layer in sheet.layers
        if isinstance(layer.source, Keyed) and layer.weight == 1.0 and layer.span is None
    ]
    if len(sheet.layers) != 1 or not plain:
        raise KeyframeError(
            f"{sheet.name}: Blender takes one layer of keyed channels without weight and range; "
            "bake the rest: python jobs/curve.py bake … and convert the table"
        )
    return plain[0]


def _channel(channel: Channel, timeline: Timeline) -> dict[str, Any]:
    curve = channel.curve(timeline)
    return {
        "before": channel.before,
        "after": channel.after,
        "auto_smoothing": "continuous" if channel.continuous else "none",
        "keys": [_key(channel.keys, curve, index, timeline) for index in range(len(channel.keys))],
    }


def _key(keys: tuple[Key, ...], curve: Curve, index: int, timeline: Timeline) -> dict[str, Any]:
    key = keys[index]
    before = keys[index - 1].interpolation if index else key.interpolation
    is_pchip = key.interpolation == "pchip"
    found: dict[str, Any] = {
        "time": f"{curve.times_s[index]!s}s",
        "value": key.value,
        "interpolation": "bezier" if is_pchip else key.interpolation,
        "easing": key.easing,
        "left": _handle(key.left, curve, index, -1, is_pchip=before == "pchip"),
        "right": _handle(key.right, curve, index, 1, is_pchip=is_pchip),
    }
    if key.interpolation == "back":
        found["back"] = key.back
    if key.interpolation == "elastic":
        found["amplitude"] = float(curve.amplitude[index])
        found["period"] = f"{key.period.at(timeline)!s}s"
    return found


def _handle(handle: Handle, curve: Curve, index: int, side: int, *, is_pchip: bool) -> Any:
    """A handle by its kind, or free where Blender has no such kind: eases, and PCHIP's slopes."""
    other = index + side
    if is_pchip and 0 <= other < len(curve.times_s):
        run = float(curve.times_s[other] - curve.times_s[index]) / 3
        return {"kind": "free", "offset": [f"{run!s}s", curve.slope_at_key(index) * run]}
    offsets = curve.left if side < 0 else curve.right
    if handle.kind not in ("ease", "free", "aligned"):
        return {"kind": handle.kind}
    run, rise = (round(float(offset), 12) for offset in offsets[index].tolist())
    return {"kind": "free" if handle.kind == "ease" else handle.kind, "offset": [f"{run!s}s", rise]}


def _written(name: str, channels: dict[str, Any]) -> str:
    lines = ["{", f'  "version": 1, "name": {json.dumps(name)},', '  "channels": {']
    blocks: list[str] = []
    for au, channel in channels.items():
        keys = ",\n".join(f"      {json.dumps(key)}" for key in channel["keys"])
        rest = json.dumps({field: value for field, value in channel.items() if field != "keys"})
        blocks.append(f'    "{au}": {{{rest[1:-1]}, "keys": [\n{keys}\n    ]}}')
    return "\n".join([*lines, ",\n".join(blocks), "  }", "}"]) + "\n"

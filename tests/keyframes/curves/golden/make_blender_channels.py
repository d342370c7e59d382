"""Writes blender_channels.npz; run where `bpy` is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from random_channels import (  # noqa: E402
    BLENDER_CYCLE,
    CHANNELS,
    SAMPLES,
    RandomChannel,
    random_channel,
)


def blender_fcurve(curves: Any, channel: RandomChannel) -> Any:
    """The channel as Blender holds it, handles computed."""
    for old in list(curves):
        curves.remove(old)
    fcurve = curves.new("location", index=0)
    fcurve.auto_smoothing = "CONT_ACCEL" if channel.continuous else "NONE"
    ends = (channel.before, channel.after)
    fcurve.extrapolation = "LINEAR" if "linear" in ends else "CONSTANT"
    for time, value, _ in channel.keys:
        fcurve.keyframe_points.insert(time, value)
    for point, (_, _, shape) in zip(fcurve.keyframe_points, channel.keys, strict=True):
        point.interpolation = str(shape.get("interpolation", "bezier")).upper()
        point.easing = str(shape.get("easing", "auto")).upper()
        point.back = shape.get("back", 1.70158)
        point.amplitude = shape.get("amplitude", 0.0)
        point.period = float(str(shape.get("period", "0s"))[:-1])
        for side in ("left", "right"):
            asked = shape.get(side, "auto_clamped")
            kind = asked["kind"] if isinstance(asked, dict) else asked
            setattr(point, f"handle_{side}_type", str(kind).upper())
            if isinstance(asked, dict):
                run, rise = float(asked["offset"][0][:-1]), asked["offset"][1]
                setattr(point, f"handle_{side}", (point.co[0] + run, point.co[1] + rise))
    fcurve.update()
    if any(end in BLENDER_CYCLE for end in ends):
        cycles = fcurve.modifiers.new("CYCLES")
        cycles.mode_before, cycles.mode_after = (BLENDER_CYCLE.get(end, "NONE") for end in ends)
        fcurve.update()
    return fcurve


def main() -> None:
    """Evaluate all channels and store their values."""
    holder = bpy.data.objects.new("holder", None)
    holder.animation_data_create()
    holder.keyframe_insert("location", index=0, frame=1)
    curves = holder.animation_data.action.layers[0].strips[0].channelbags[0].fcurves
    values = np.zeros((CHANNELS, SAMPLES), np.float32)
    for index in range(CHANNELS):
        channel = random_channel(index)
        fcurve = blender_fcurve(curves, channel)
        values[index] = [fcurve.evaluate(np.float32(time)) for time in channel.times]
    version = np.array(bpy.app.version_string)
    np.savez_compressed(HERE / "blender_channels.npz", values=values, blender=version)


if __name__ == "__main__":
    main()

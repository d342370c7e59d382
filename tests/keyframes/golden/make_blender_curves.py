"""Writes blender_curves.npz; run where `bpy` is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from random_curves import CURVES, SAMPLES, RandomCurve, random_curve  # noqa: E402

MOST_KEYS = 6


def blender_fcurve(curves: Any, curve: RandomCurve) -> Any:
    """The curve as Blender holds it, handles computed."""
    for old in list(curves):
        curves.remove(old)
    fcurve = curves.new("location", index=0)
    fcurve.auto_smoothing = "NONE"
    fcurve.extrapolation = curve.extrapolation.upper()
    for key in curve.keys:
        fcurve.keyframe_points.insert(key.time, key.value)
    for point, key in zip(fcurve.keyframe_points, curve.keys, strict=True):
        point.interpolation = key.interpolation.upper()
        point.easing = key.easing.upper()
        point.back, point.amplitude, point.period = key.back, key.amplitude, key.period
        point.handle_left_type = key.left_kind.upper()
        point.handle_right_type = key.right_kind.upper()
        point.handle_left = (point.co[0] + key.left[0], point.co[1] + key.left[1])
        point.handle_right = (point.co[0] + key.right[0], point.co[1] + key.right[1])
    fcurve.update()
    if curve.cycles != ("none", "none"):
        cycles = fcurve.modifiers.new("CYCLES")
        cycles.mode_before, cycles.mode_after = (mode.upper() for mode in curve.cycles)
        fcurve.update()
    return fcurve


def main() -> None:
    """Evaluate every curve and store values and handles."""
    holder = bpy.data.objects.new("holder", None)
    holder.animation_data_create()
    holder.keyframe_insert("location", index=0, frame=1)
    curves = holder.animation_data.action.layers[0].strips[0].channelbags[0].fcurves
    values = np.zeros((CURVES, SAMPLES), np.float32)
    handles = np.full((CURVES, MOST_KEYS, 4), np.nan, np.float32)
    for index in range(CURVES):
        curve = random_curve(index)
        fcurve = blender_fcurve(curves, curve)
        values[index] = [fcurve.evaluate(np.float32(time)) for time in curve.times]
        for row, point in enumerate(fcurve.keyframe_points):
            left, right = point.handle_left - point.co, point.handle_right - point.co
            handles[index, row] = (*left, *right)
    np.savez_compressed(
        HERE / "blender_curves.npz",
        values=values,
        handles=handles,
        blender=np.array(bpy.app.version_string),
    )


if __name__ == "__main__":
    main()

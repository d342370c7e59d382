"""Writes blender_curves.npz and blender_smoothed.npz; run where `bpy` is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from random_curves import (  # noqa: E402
    CURVES,
    SAMPLES,
    SMOOTHED_CURVES,
    RandomCurve,
    random_curve,
    smoothed_curve,
)

MOST_KEYS = 6


def blender_fcurve(curves: Any, curve: RandomCurve, auto_smoothing: str) -> Any:
    """The curve as Blender holds it, handles computed."""
    for old in list(curves):
        curves.remove(old)
    fcurve = curves.new("location", index=0)
    fcurve.auto_smoothing = auto_smoothing
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


def record(curves: Any, name: str, auto_smoothing: str, made: list[RandomCurve]) -> None:
    """Evaluate curves and store values and handles."""
    values = np.zeros((len(made), SAMPLES), np.float32)
    handles = np.full((len(made), MOST_KEYS, 4), np.nan, np.float32)
    for index, curve in enumerate(made):
        fcurve = blender_fcurve(curves, curve, auto_smoothing)
        values[index] = [fcurve.evaluate(np.float32(time)) for time in curve.times]
        for row, point in enumerate(fcurve.keyframe_points):
            left, right = point.handle_left - point.co, point.handle_right - point.co
            handles[index, row] = (*left, *right)
    version = np.array(bpy.app.version_string)
    np.savez_compressed(HERE / name, values=values, handles=handles, blender=version)


def main() -> None:
    """Without and with auto smoothing."""
    holder = bpy.data.objects.new("holder", None)
    holder.animation_data_create()
    holder.keyframe_insert("location", index=0, frame=1)
    curves = holder.animation_data.action.layers[0].strips[0].channelbags[0].fcurves
    plain = [random_curve(index) for index in range(CURVES)]
    record(curves, "blender_curves.npz", "NONE", plain)
    smoothed = [smoothed_curve(index) for index in range(SMOOTHED_CURVES)]
    record(curves, "blender_smoothed.npz", "CONT_ACCEL", smoothed)


if __name__ == "__main__":
    main()

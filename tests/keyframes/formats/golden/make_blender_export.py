"""Writes what the add-on exports and imports; run where `bpy` is installed."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np

HERE = Path(__file__).resolve().parent
ADDON = HERE.parents[3] / "keyframes" / "formats" / "blender_addon.py"
KINDS = ("AUTO_CLAMPED", "AUTO", "VECTOR", "FREE", "ALIGNED")
INTERPOLATIONS = ("CONSTANT", "LINEAR", "BEZIER", "SINE", "EXPO", "BACK", "BOUNCE", "ELASTIC")
TIMES_S = np.linspace(-1.0, 9.0, 400)


def addon() -> Any:
    spec = importlib.util.spec_from_file_location("blender_addon", ADDON)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def action(owner: Any, made: Any) -> Any:
    rng = random.Random(1)
    for number, au in enumerate((1, 4, 6, 12, 26)):
        owner[f"AU{au}"] = 0.0
        owner.keyframe_insert(f'["AU{au}"]', frame=1)
        curves = made.fcurves_of(owner.animation_data.action)
        fcurve = next(c for c in curves if c.data_path == f'["AU{au}"]')
        fcurve.keyframe_points.clear()
        fcurve.auto_smoothing = ("CONT_ACCEL", "NONE")[number % 2]
        fcurve.extrapolation = ("CONSTANT", "LINEAR")[number // 2 % 2]
        for place in range(7):
            fcurve.keyframe_points.insert(1 + 24 * place + rng.randrange(12), rng.randrange(6))
        for place, point in enumerate(fcurve.keyframe_points):
            point.interpolation = INTERPOLATIONS[(place + number) % len(INTERPOLATIONS)]
            if number == 3:
                point.interpolation = "BEZIER"
            point.easing = ("AUTO", "EASE_IN", "EASE_OUT", "EASE_IN_OUT")[place % 4]
            point.back, point.amplitude, point.period = 2.0, 1.5, 6.0
            kind = KINDS[(place + number) % len(KINDS)]
            point.handle_left_type = point.handle_right_type = kind
            if kind in ("FREE", "ALIGNED"):
                point.handle_left = point.co[0] - 6, point.co[1] - 1
                point.handle_right = point.co[0] + 8, point.co[1] + 8 / 6
        fcurve.update()
        if number == 4:
            cycles = fcurve.modifiers.new("CYCLES")
            cycles.mode_before, cycles.mode_after = "MIRROR", "REPEAT_OFFSET"
            fcurve.update()
    return owner.animation_data.action


def values(made: Any, scene: Any, act: Any) -> dict[str, Any]:
    fps = made.frames_per_second(scene)
    found = {}
    for fcurve in made.fcurves_of(act):
        name = fcurve.data_path[2:-2]
        found[name] = [fcurve.evaluate(scene.frame_start + t * fps) for t in TIMES_S]
    return found


def main() -> None:
    made, scene = addon(), bpy.context.scene
    scene.render.fps, scene.frame_start = 24, 1
    owner = bpy.data.objects.new("face", None)
    exported = made.exported(action(owner, made), scene)
    (HERE / "blender_export.yaml").write_text(made.written(exported), "utf-8")
    arrays = {f"out_{k}": v for k, v in values(made, scene, owner.animation_data.action).items()}
    again = bpy.data.objects.new("again", None)
    made.imported(made.read(str(HERE / "blender_export.yaml")), again, scene)
    arrays |= {f"again_{k}": v for k, v in values(made, scene, again.animation_data.action).items()}
    taken = bpy.data.objects.new("taken", None)
    made.imported(made.read(str(HERE / "addon_input.yaml")), taken, scene)
    arrays |= {f"in_{k}": v for k, v in values(made, scene, taken.animation_data.action).items()}
    np.savez_compressed(HERE / "blender_export.npz", **arrays, times_s=TIMES_S)
    made.register()
    made.unregister()


if __name__ == "__main__":
    sys.exit(main())

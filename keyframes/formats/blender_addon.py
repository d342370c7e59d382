"""Blender add-on: F-curves of an action as a curve file of aureel, and back.

It runs inside Blender (4.4 or later) and needs nothing but Blender: install this one file under
Edit, Preferences, Add-ons. AUs are custom properties named AU1 … AU26 (or shape keys of those
names); their F-curves keep interpolation, easing and handles. The file is YAML written the way JSON
is, so that Blender can read it without a YAML library; `python jobs/curve.py convert mine.yaml --to
blender --output mine.blender.yaml` writes any curve file in that form.
"""

# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ExportHelper, ImportHelper

bl_info = {
    "name": "aureel curves",
    "author": "aureel",
    "version": (1, 0, 0),
    "blender": (4, 4, 0),
    "location": "File > Import/Export",
    "description": "Action unit curves as YAML, with interpolation and handles",
    "category": "Import-Export",
}

_AU = re.compile(r"""\[["'](AU\d+)["']\](?:\.value)?$""")
_CYCLES = {"REPEAT": "cycle", "REPEAT_OFFSET": "cycle_offset", "MIRROR": "ping_pong"}
_REPEATS = {word: mode for mode, word in _CYCLES.items()}


def fcurves_of(action: Any) -> list[Any]:
    """All F-curves of an action, layered or not."""
    found = [
        fcurve
        for layer in action.layers
        for strip in layer.strips
        for bag in strip.channelbags
        for fcurve in bag.fcurves
    ]
    return found or list(getattr(action, "fcurves", ()))


def frames_per_second(scene: Any) -> float:
    """The scene's rate."""
    return scene.render.fps / scene.render.fps_base


def exported(action: Any, scene: Any) -> dict[str, Any]:
    """The AUs of an action as a curve file holds them; second 0 is the scene's first frame."""
    fps, start = frames_per_second(scene), scene.frame_start
    channels: dict[str, Any] = {}
    for fcurve in fcurves_of(action):
        name = _AU.search(fcurve.data_path)
        if name is not None and len(fcurve.keyframe_points):
            channels[name[1]] = _channel(fcurve, fps, start)
    return {"version": 1, "name": action.name, "channels": channels}


def _channel(fcurve: Any, fps: float, start: float) -> dict[str, Any]:
    before = after = "linear" if fcurve.extrapolation == "LINEAR" else "hold"
    for modifier in fcurve.modifiers:
        if modifier.type == "CYCLES" and not modifier.mute:
            before = _CYCLES.get(modifier.mode_before, before)
            after = _CYCLES.get(modifier.mode_after, after)
            break
    smoothing = getattr(fcurve, "auto_smoothing", "NONE")
    return {
        "before": before,
        "after": after,
        "auto_smoothing": "continuous" if smoothing == "CONT_ACCEL" else "none",
        "keys": [_key(point, fps, start) for point in fcurve.keyframe_points],
    }


def _seconds(frames: float, fps: float) -> str:
    return f"{frames / fps:.9f}".rstrip("0").rstrip(".") + "s"


def _key(point: Any, fps: float, start: float) -> dict[str, Any]:
    key: dict[str, Any] = {
        "time": _seconds(point.co[0] - start, fps),
        "value": point.co[1],
        "interpolation": point.interpolation.lower(),
        "easing": point.easing.lower(),
    }
    for side in ("left", "right"):
        kind = getattr(point, f"handle_{side}_type").lower()
        key[side] = {"kind": kind}
        if kind in ("free", "aligned"):
            handle = getattr(point, f"handle_{side}")
            offset = handle[0] - point.co[0], handle[1] - point.co[1]
            key[side]["offset"] = [_seconds(offset[0], fps), offset[1]]
    if point.interpolation == "BACK":
        key["back"] = point.back
    if point.interpolation == "ELASTIC":
        key["amplitude"] = point.amplitude
        key["period"] = _seconds(point.period, fps)
    return key


def written(data: dict[str, Any]) -> str:
    """A curve file with a line per key: JSON's way of writing, which is YAML's too."""
    channels = []
    for name, channel in data["channels"].items():
        keys = ",\n".join(f"      {json.dumps(key)}" for key in channel["keys"])
        rest = {field: value for field, value in channel.items() if field != "keys"}
        head = json.dumps(rest)[1:-1]
        channels.append(f'    "{name}": {{{head}, "keys": [\n{keys}\n    ]}}')
    rest = {field: value for field, value in data.items() if field != "channels"}
    body = ",\n".join(channels)
    return f'{{\n  {json.dumps(rest)[1:-1]},\n  "channels": {{\n{body}\n  }}\n}}\n'


def imported(data: dict[str, Any], owner: Any, scene: Any) -> list[str]:
    """Keys of a curve file as F-curves on custom properties of an object; the AUs it made."""
    fps, start = frames_per_second(scene), scene.frame_start
    made: list[str] = []
    for name, channel in data["channels"].items():
        if name not in owner:
            owner[name] = 0.0
        path = f'["{name}"]'
        owner.keyframe_insert(path, frame=start)
        fcurve = next(c for c in fcurves_of(owner.animation_data.action) if c.data_path == path)
        _fill(fcurve, channel, fps, start)
        made.append(name)
    return made


def _frames(seconds: str | float, fps: float) -> float:
    return float(str(seconds).rstrip("s")) * fps


def _fill(fcurve: Any, channel: dict[str, Any], fps: float, start: float) -> None:
    points = fcurve.keyframe_points
    points.clear()
    if hasattr(fcurve, "auto_smoothing"):
        continuous = channel.get("auto_smoothing") == "continuous"
        fcurve.auto_smoothing = "CONT_ACCEL" if continuous else "NONE"
    ends = channel.get("before", "hold"), channel.get("after", "hold")
    fcurve.extrapolation = "LINEAR" if "linear" in ends else "CONSTANT"
    keys = channel["keys"]
    points.add(len(keys))
    for point, key in zip(points, keys, strict=True):
        point.co = start + _frames(key["time"], fps), key["value"]
        point.interpolation = key["interpolation"].upper()
        point.easing = key["easing"].upper()
        point.back = key.get("back", 1.70158)
        point.amplitude = key.get("amplitude", 0.0)
        point.period = _frames(key.get("period", 0.0), fps)
        for side in ("left", "right"):
            setattr(point, f"handle_{side}_type", key[side]["kind"].upper())
        for side in ("left", "right"):
            if "offset" in key[side]:
                run, rise = _frames(key[side]["offset"][0], fps), key[side]["offset"][1]
                setattr(point, f"handle_{side}", (point.co[0] + run, point.co[1] + rise))
    fcurve.update()
    for modifier in list(fcurve.modifiers):
        fcurve.modifiers.remove(modifier)
    if any(end in _REPEATS for end in ends):
        cycles = fcurve.modifiers.new("CYCLES")
        cycles.mode_before, cycles.mode_after = (_REPEATS.get(end, "NONE") for end in ends)
        fcurve.update()


def read(path: str) -> dict[str, Any]:
    """A curve file in the form that Blender can read.

    Raises:
        ValueError: YAML of another form, with the command that converts it.
    """
    text = Path(path).read_text("utf-8")
    try:
        data = json.loads(text)
    except json.JSONDecodeError:
        raise ValueError(
            f"{path}: convert it for Blender first: python jobs/curve.py convert {path} "
            "--to blender --output mine.blender.yaml"
        ) from None
    if not isinstance(data, dict) or "channels" not in data:
        raise ValueError(f"{path}: no channels")
    return data


class ExportCurves(bpy.types.Operator, ExportHelper):
    """Write the active object's AU curves."""

    bl_idname = "export_anim.aureel"
    bl_label = "Export aureel curves"
    filename_ext = ".yaml"

    def execute(self, context: Any) -> set[str]:
        """Write the file."""
        animation = getattr(context.object, "animation_data", None)
        if animation is None or animation.action is None:
            self.report({"ERROR"}, "the active object has no action")
            return {"CANCELLED"}
        data = exported(animation.action, context.scene)
        Path(self.filepath).write_text(written(data), "utf-8")
        return {"FINISHED"}


class ImportCurves(bpy.types.Operator, ImportHelper):
    """Read AU curves on to the active object."""

    bl_idname = "import_anim.aureel"
    bl_label = "Import aureel curves"
    filename_ext = ".yaml"

    def execute(self, context: Any) -> set[str]:
        """Read the file."""
        try:
            made = imported(read(self.filepath), context.object, context.scene)
        except (ValueError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"curves of {', '.join(made)}")
        return {"FINISHED"}


def _export_entry(menu: Any, _: Any) -> None:
    menu.layout.operator(ExportCurves.bl_idname, text="aureel curves (.yaml)")


def _import_entry(menu: Any, _: Any) -> None:
    menu.layout.operator(ImportCurves.bl_idname, text="aureel curves (.yaml)")


def register() -> None:
    """Called by Blender."""
    for operator in (ExportCurves, ImportCurves):
        bpy.utils.register_class(operator)
    bpy.types.TOPBAR_MT_file_export.append(_export_entry)
    bpy.types.TOPBAR_MT_file_import.append(_import_entry)


def unregister() -> None:
    """Called by Blender."""
    bpy.types.TOPBAR_MT_file_export.remove(_export_entry)
    bpy.types.TOPBAR_MT_file_import.remove(_import_entry)
    for operator in (ExportCurves, ImportCurves):
        bpy.utils.unregister_class(operator)

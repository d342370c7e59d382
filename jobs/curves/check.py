"""All problems of a curve file at once, with and without a clip."""

from __future__ import annotations

from pathlib import Path

from jobs.curves.clip import assumptions, neutral_face, stand_in
from jobs.errors import JobError
from keyframes.checked_yaml.reader import nearest
from keyframes.errors import KeyframeError
from keyframes.load import curve_text, inspect_sheet
from keyframes.presets import known_presets, preset_text
from keyframes.problems import SheetError
from keyframes.sheet import KeyframeSheet


def check(
    reference: str, fps: str, duration_s: float | None, start_timecode: str | None
) -> tuple[list[str], list[str]]:
    """Errors and warnings of a curve file or preset, one line each.

    Raises:
        JobError: no such file or preset.
    """
    path = Path(reference)
    try:
        text = curve_text(path) if path.is_file() else _preset(reference)
    except SheetError as error:
        return [str(problem) for problem in error.problems], []
    folder = path.resolve().parent if path.is_file() else None
    sheet, problems = inspect_sheet(text, reference, folder=folder)
    errors = [str(problem) for problem in problems if problem.is_error]
    warnings = [str(problem) for problem in problems if not problem.is_error]
    if sheet is None:
        return errors, warnings
    return _on_a_clip(sheet, reference, warnings, (fps, duration_s, start_timecode))


def _preset(reference: str) -> str:
    name = reference.removesuffix(".yaml").removesuffix(".yml")
    if name not in known_presets():
        known = ", ".join(known_presets())
        close = nearest(name, known_presets())
        raise JobError(f"{reference}: no such curve file; presets: {known}{close}")
    return preset_text(name)


def _on_a_clip(
    sheet: KeyframeSheet,
    reference: str,
    warnings: list[str],
    clip: tuple[str, float | None, str | None],
) -> tuple[list[str], list[str]]:
    """What only a frame rate and a length show: timecodes, order of keys, clamps."""
    videos = sheet.videos()
    if videos:
        names = ", ".join(video for video, _ in videos)
        return [], [*warnings, f"{reference}: warning: not checked on a clip, needs {names}"]
    try:
        timeline = stand_in(sheet, *clip)
        found: list[str] = assumptions(timeline, clip[2])
        for face in sheet.targets():
            found += sheet.evaluate(timeline, neutral_face(timeline), face=face).warnings
    except KeyframeError as error:
        return [str(error)], warnings
    said = set(sheet.warnings)
    new = [line for line in dict.fromkeys(found) if line not in said]
    return [], [*warnings, *(f"{reference}: warning: {line}" for line in new)]

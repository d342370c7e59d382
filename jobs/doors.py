"""aureel from Python, one call each; what comes back shows itself in a notebook.

    from jobs import animate, analyse, preview

    preview("smile", "shot.mp4", at="1.2s")              # one frame, at once, as an RGB array
    report = animate("smile.yaml", "shot.mp4", output="out.mp4")
    table = analyse("shot.mp4", "faces.parquet")

Every option is the command's of the same name (`aureel animate --help`), those of engines too:
`animate(…, editor="magicface", weights="DIR", steps=8)`.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from rich.console import Console

from engines.choice import AUTO, Engine, resolve
from engines.segmenters.multiclass import MulticlassSegmenter, chosen_segmenter, open_segmenter
from jobs.command_line.command import one_line
from jobs.command_line.options.analyse import MeasureOptions
from jobs.command_line.options.animate import AnimateOptions
from jobs.command_line.options.given import with_engine_options
from jobs.command_line.progress import console
from jobs.command_line.report import Report
from jobs.errors import JobError
from keyframes.load import load_sheet
from keyframes.sheet import KeyframeSheet
from pipeline.media.views.choice import BY_TAGS, checked_view
from pipeline.preview import FramePreview, Picture
from pipeline.settings import Moments

Clips = str | Path | Sequence[str | Path]
Options = TypeVar("Options", bound=BaseModel)
OPEN_FRAMES = 4
"""Frames that `preview` keeps decoded, with their faces."""


def animate(
    curve: str | Path | None = None,
    inputs: Clips = (),
    *,
    output: str | Path | None = None,
    editor: str = AUTO,
    quiet: bool = False,
    **options: Any,
) -> Report:
    """Change the performance in footage by a curve.

    Args:
        curve: a curve file or the name of a preset; None with `manifest=` and curves in its rows.
        inputs: files, folders or globs; none = those of the curve file, else the demo clip.
        output: a file (for one input) or a folder; None = beside each input.
        editor: `auto`, a name, or your own as `package.module:Class`.
        quiet: print nothing.
        options: any other of `aureel animate`, e.g. `overwrite=True`, `plot=True`, `steps=8`.
    Returns:
        What report.json holds: a row per video, with `status`, `output`, `error` and `warnings`.
        `report.failed` lists those that were not made.
    Raises:
        JobError: the call is wrong, or not one video was made.
        KeyframeError, EngineError, PipelineError: the curve, an engine or footage is wrong.
    """
    from jobs.animation.animation import run_call
    from jobs.animation.call import checked

    if options.pop("dry_run", False):
        raise JobError("dry_run: is the command's alone (aureel animate --dry-run)")
    named = None if curve is None else str(curve)
    options["manifest"] = _text(options.get("manifest"))
    said = {"curve": named, "inputs": _texts(inputs), "output": _text(output)}
    report = run_call(
        checked(_options(AnimateOptions, {**said, "editor": editor, **options})), _screen(quiet)
    )
    if report.videos and len(report.failed) == len(report.videos):
        first = report.failed[0]
        raise JobError(f"{first.input}: {first.stage}: {first.error}")
    return report


def analyse(inputs: Clips, output: str | Path, *, quiet: bool = False, **options: Any) -> Report:
    """Measure faces and action units in footage.

    Args:
        inputs: files, folders or globs.
        output: the table, .parquet or .csv: a row per frame and face.
        quiet: print nothing.
        options: any other of `aureel analyse`, e.g. `overwrite=True`, `au="libreface"`.
    Returns:
        A row per video, as `animate`; the table lies at `output`.
    Raises:
        JobError: the call is wrong, or not one input could be measured.
        EngineError, PipelineError: an engine or footage is wrong.
    """
    from jobs.animation.measurement import measure

    said = {"inputs": _texts(inputs), "output": _text(output)}
    return measure(_options(MeasureOptions, {**said, **options}), _screen(quiet))


def preview(
    curve: str | Path | KeyframeSheet,
    clip: str | Path,
    *,
    at: str | float = "50%",
    editor: str = "previz",
    tracker: str = AUTO,
    au: str = AUTO,
    seed: int = 424,
    view: str = BY_TAGS,
    segmenter: str | Path | None = None,
    fields: Moments = "auto",
    **options: Any,
) -> Picture:
    """One frame of a clip as a curve asks for it; starts no Ray and writes nothing.

    The last frames looked at stay decoded, so another curve on the same frame takes only the edit.

    Args:
        at: when: 1.2, "1.2s", "30f", "50%", a timecode.
        view: of log footage: its camera's curve, e.g. "slog3", or a table FILE.cube.
        segmenter: a file that tells hair, clothes and things from a face, as in a run.
        fields: as in a run: how many moments an interlaced frame shows, "two", "one" or "auto".
        options: those of engines, e.g. `weights="DIR"`, `steps=8`.
    Returns:
        `(H, W, 3)` uint8 RGB, upright, in square pixels.
    Warns:
        UserWarning: footage that looks like log and is shown as it is coded.
    Raises:
        JobError: an option that no engine takes.
        KeyframeError, EngineError, PipelineError: the curve, an engine or the clip is wrong.
    """
    sheet = curve if isinstance(curve, KeyframeSheet) else load_sheet(str(curve))
    said = {
        "curve": "-",
        "fields": fields,
        "editor": editor,
        "tracker": tracker,
        "au": au,
        **options,
    }
    model = _options(AnimateOptions, said)
    path = Path(clip).expanduser().absolute()
    if not path.is_file():
        raise JobError(f"preview: {clip}: no such file; expected a clip")
    changed = path.stat().st_mtime_ns
    engines = (
        resolve("tracker", tracker, model.tracker_options.given()),
        resolve("AU estimator", au, model.au_options.given()),
        resolve("editor", editor, model.editor_options.given(), shuts_eyes=sheet.shuts_eyes),
    )
    network = None if segmenter is None else _segmenter(*_state(segmenter))
    how = seed, checked_view(view), network, fields
    opened = _opened(path, changed, at, _Engines(engines), *how)
    for line in opened.warnings:
        warnings.warn(f"{path.name}: {line}", stacklevel=2)
    return opened.under(sheet)


class _Engines(tuple[Engine, ...]):
    """Choices that a cache tells apart by what their results depend on."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(repr([engine.identity for engine in self]))


@lru_cache(maxsize=OPEN_FRAMES)
def _opened(
    path: Path,
    changed: int,  # noqa: ARG001  a clip that was replaced is another clip
    at: str | float,
    engines: _Engines,
    seed: int,
    view: str,
    segmenter: MulticlassSegmenter | None,
    moments: Moments,
) -> FramePreview:
    how: dict[str, Any] = {"seed": seed, "view": view, "segmenter": segmenter, "moments": moments}
    return FramePreview(path, at, *map(_loaded, engines), **how)


def _state(path: str | Path) -> tuple[str, int]:
    """A file, and when it was last written; of a missing one its opening tells."""
    absolute = Path(path).expanduser().absolute()
    return str(absolute), absolute.stat().st_mtime_ns if absolute.exists() else 0


@lru_cache(maxsize=1)
def _segmenter(path: str, changed: int) -> MulticlassSegmenter:  # noqa: ARG001  as of clips
    return open_segmenter(chosen_segmenter(path))


_kept: dict[str, Any] = {}


def _loaded(engine: Engine) -> Any:
    """The process's own; another frame needs no other one."""
    key = repr((engine.kind, engine.identity))
    if key not in _kept:
        _kept[key] = engine.make()
    return _kept[key]


def _options(model: type[Options], said: dict[str, Any]) -> Options:
    """A command's options from keyword arguments; those of engines go where they belong."""
    named = [f"--{name}={said[name]}" for name in ("editor", "tracker", "au") if name in said]
    offered = with_engine_options(model, named)
    values: dict[str, Any] = {}
    of_engines: dict[str, dict[str, Any]] = {}
    for name, value in said.items():
        place = name if name in model.model_fields else _place_of(offered, name)
        if place == name:
            values[name] = value
        else:
            of_engines.setdefault(place, {})[name] = _text(value)
    try:
        return offered.model_validate({**values, **of_engines})
    except ValidationError as error:
        raise JobError(one_line(error)) from None


def _place_of(model: type[BaseModel], name: str) -> str:
    """Which of a model's `…_options` holds an engine's option."""
    known = [field for field in model.model_fields if not field.endswith("_options")]
    for field, info in model.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if name in inner.model_fields:
                return field
            known += inner.model_fields
    raise JobError(f"no option {name!r}; known: {', '.join(known)}")


def _texts(clips: Clips) -> tuple[str, ...]:
    return (str(clips),) if isinstance(clips, str | Path) else tuple(map(str, clips))


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _screen(quiet: bool) -> Console:
    return Console(file=io.StringIO()) if quiet else console()

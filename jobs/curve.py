"""Check, draw, bake and convert curves; no GPU and no footage needed.

python jobs/curve.py lint smile.yaml
python jobs/curve.py plot smile.yaml --output smile.svg
python jobs/curve.py bake smile.yaml --fps 30000/1001 --duration 3 --output smile.csv
python jobs/curve.py convert take.csv --output take.yaml
"""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from typing import Annotated

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App, Parameter

from jobs.command_line.command import main_of
from jobs.command_line.options.words import Flag
from jobs.curves.check import check
from jobs.curves.clip import (
    ClipOptions,
    assumptions,
    clip_of,
    neutral_face,
    sheet_with_videos_refused,
)
from jobs.curves.convert import Conversion, convert
from jobs.errors import JobError
from keyframes.checked_yaml.reader import nearest
from keyframes.clock.instant import parse_instant
from keyframes.clock.timeline import Timeline
from keyframes.formats.rows.tables import TABLE_SUFFIXES, baked_columns, write_table
from keyframes.load import load_sheet
from keyframes.presets import known_presets, preset_text
from keyframes.sheet_file.schema import schema_text

app = App(name="curve", help=__doc__, help_format="plaintext", version_flags=())
NO_CLIP = ClipOptions()


@app.command(name="lint")
def lint(
    files: Annotated[tuple[str, ...], Parameter(consume_multiple=True)],
    *,
    fps: str = "25",
    duration: float | None = None,
    start_timecode: str | None = None,
) -> int:
    """Name every problem of curve files: file, line, column, key, found and known.

    Exit status 1 if one of them cannot be used, 0 if there are warnings at most.

    Parameters
    ----------
    files
        Curve files or presets.
    fps
        Frame rate they are checked at.
    duration
        Length of the clip in seconds they are checked on. Without: as long as their keys.
    start_timecode
        SMPTE timecode of the clip's first frame.
    """
    if not files:
        raise JobError("lint: no files; expected curve files or presets")
    bad = False
    for file in files:
        errors, warnings = check(file, fps, duration, start_timecode)
        for line in (*errors, *warnings):
            print(line)
        if not errors:
            print(f"{file}: fine" + (f", {len(warnings)} warnings" if warnings else ""))
        bad = bad or bool(errors)
    return 1 if bad else 0


@app.command(name="plot")
def plot(
    file: str,
    *,
    output: Path,
    start: Annotated[str | None, Parameter(name="--from")] = None,
    end: Annotated[str | None, Parameter(name="--to")] = None,
    clip: Annotated[ClipOptions, Parameter("*")] = NO_CLIP,
    overwrite: Flag = False,
) -> int:
    """Draw a curve: keys, handles, smoothing and clamps.

    Parameters
    ----------
    file
        A curve file or preset.
    output
        .png, .svg or .html (which holds everything in itself).
    start
        Where the picture begins: 90s, 50%, 01:00:02:12. Without: the start of the clip.
    end
        Where it ends.
    overwrite
        Replace an output that exists.
    """
    from pipeline.figures.curves import plot_sheet
    from pipeline.figures.style import PLOT_SUFFIXES

    _check_output(output, PLOT_SUFFIXES, overwrite)
    sheet = sheet_with_videos_refused(file)
    timeline, intensity = clip_of(sheet, clip)
    window = None
    if start is not None or end is not None:
        ends = (parse_instant(start or "start"), parse_instant(end or "end"))
        window = (ends[0].at(timeline), ends[1].at(timeline))
        if window[1] <= window[0]:
            raise JobError(f"--from {ends[0]} --to {ends[1]}: expected the end after the start")
    _say_assumed(timeline, clip)
    _say(plot_sheet(output, sheet, timeline, intensity, window).warnings)
    print(output.absolute())
    return 0


@app.command(name="bake")
def bake(
    file: str,
    *,
    output: Path,
    clip: Annotated[ClipOptions, Parameter("*")] = NO_CLIP,
    face: int | str | None = None,
    overwrite: Flag = False,
) -> int:
    """Write what a curve asks for at each frame: time_s,AU1,AU2,AU4,…

    Parameters
    ----------
    file
        A curve file or preset.
    output
        .csv or .parquet.
    face
        Which face of the curve. Without: the first it addresses.
    overwrite
        Replace an output that exists.
    """
    _check_output(output, TABLE_SUFFIXES, overwrite)
    sheet = sheet_with_videos_refused(file)
    timeline, measured = clip_of(sheet, clip)
    _say_assumed(timeline, clip)
    intensity = neutral_face(timeline) if measured is None else measured
    chosen = next(iter(sheet.targets()), 0) if face is None else face
    if chosen not in sheet.targets(chosen + 1 if isinstance(chosen, int) else 1):
        known = ", ".join(map(str, sheet.targets()))
        raise JobError(f"--face {chosen}: the curve asks nothing of it; known: {known}")
    evaluation = sheet.evaluate(timeline, intensity, face=chosen)
    write_table(output, baked_columns(timeline.times_s, evaluation.delta))
    _say(evaluation.warnings)
    print(output.absolute())
    return 0


@app.command(name="convert")
def convert_command(source: str, *, request: Annotated[Conversion, Parameter("*")]) -> int:
    """Turn a table or a timeline into a curve file, or any of them into a table.

    What is lost on the way is named on stderr.

    Parameters
    ----------
    source
        Live Link Face, OpenFace, LibreFace, py-feat or analysis table, .otio, curve file or preset.
    """
    _check_output(request.output, None, request.overwrite)
    request.check()
    _say(convert(source, request))
    print(request.output.absolute())
    return 0


@app.command(name="presets")
def presets(name: str | None = None) -> int:
    """List the presets, or print one.

    Parameters
    ----------
    name
        The preset to print, as a start for a curve of one's own.
    """
    if name is None:
        width = max(len(known) for known in known_presets())
        for known in known_presets():
            print(f"{known:<{width}}  {load_sheet(known).description}")
        return 0
    if name.removesuffix(".yaml") not in known_presets():
        close = nearest(name, known_presets())
        raise JobError(f"no preset {name!r}; known: {', '.join(known_presets())}{close}")
    print(preset_text(name.removesuffix(".yaml")), end="")
    return 0


@app.command(name="blender")
def blender() -> int:
    """Print the Blender add-on: one file, to be installed in Blender's preferences."""
    addon = resources.files("keyframes.formats").joinpath("blender_addon.py")
    print(addon.read_text("utf-8"), end="")
    return 0


@app.command(name="schema")
def schema() -> int:
    """Print the JSON Schema of curve files, for editors that complete and check YAML."""
    print(schema_text(), end="")
    return 0


def _check_output(output: Path, suffixes: tuple[str, ...] | None, overwrite: bool) -> None:
    if suffixes is not None and output.suffix.lower() not in suffixes:
        raise JobError(f"{output}: suffix {output.suffix!r}; known: {', '.join(suffixes)}")
    if output.exists() and not overwrite:
        raise JobError(f"{output} exists; pass --overwrite to replace it")


def _say_assumed(timeline: Timeline, clip: ClipOptions) -> None:
    if clip.measured is None:
        _say(assumptions(timeline, clip.start_timecode))


def _say(lines: tuple[str, ...] | list[str]) -> None:
    for line in lines:
        print(f"warning: {line}", file=sys.stderr)


if __name__ == "__main__":
    main_of(app)

"""What a call is to make: a row for every video that can be, a line for every entry that cannot."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from jobs.command_line.curves import WRONG, Curves, Sheets, absolute, also_read, check_usable
from jobs.command_line.element_places import without_element_places
from jobs.command_line.inputs import Asked, Found, Inputs, Refused, find_inputs, one_video
from jobs.command_line.manifest import Row, read_manifest
from jobs.command_line.options.animate import AnimateOptions
from jobs.command_line.outputs import (
    is_folder,
    objections_to,
    place_of,
    place_outputs,
    refuse_working_copy,
    video_rows,
    without_own_results,
)
from jobs.command_line.places import check_folder_place
from jobs.command_line.settling import unfit_sources
from jobs.errors import JobError
from keyframes.load import load_sheet
from keyframes.sheet import KeyframeSheet
from pipeline.errors import StorageError
from pipeline.media.views.choice import BY_TAGS, checked_view, named_view
from pipeline.rows import VideoRow
from pipeline.settings import ElementWish
from pipeline.storage.copies import fetch

OPENED = 16
"""Files named one by one that are opened before the work; of more, each is when it is inspected."""
DEMO_FOLDER = Path("~/aureel/demo")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Shots:
    """Videos with their curves.

    Attributes:
        asked: name of a video → what is asked of it.
        sheets: of all that is asked.
        refused: entries that cannot be made; each is a line of the report.
        notes: what the person should know of the inputs.
        also_read: what the job reads beside its footage.
        is_demo: no input was named.
    """

    videos: list[VideoRow]
    asked: dict[str, Asked]
    sheets: Sheets
    refused: list[Refused]
    notes: list[str]
    also_read: list[Path]
    is_demo: bool = False


@dataclass
class Wanted:
    """The same before the files are looked at.

    Attributes:
        pairs: source and output; no output comes twice.
        asked: of each output.
        named: sources that the call names themselves.
    """

    pairs: list[tuple[Path, Path]] = field(default_factory=list[tuple[Path, Path]])
    asked: dict[Path, Asked] = field(default_factory=dict[Path, Asked])
    sheets: Sheets = field(default_factory=dict[Asked, KeyframeSheet])
    refused: list[Refused] = field(default_factory=list[Refused])
    notes: list[str] = field(default_factory=list[str])
    also_read: list[Path] = field(default_factory=list[Path])
    named: list[Path] = field(default_factory=list[Path])


def find_shots(options: AnimateOptions, say: Say) -> Shots:
    """What the inputs or the manifest of a call ask for.

    Args:
        say: tells the person what is waited for.
    Raises:
        JobError, KeyframeError, EngineError, PipelineError: the call itself is wrong, or nothing of
            it can be made.
    """
    if options.manifest is not None:
        return _looked_at(options, _of_manifest(options, Path(options.manifest)), say)
    if options.curve is None:
        raise JobError("--curve: not given; expected a curve file, a preset, or --manifest")
    asked = Asked(options.curve, view=named_view(options.view))
    fetch(Path(options.curve))
    sheet = load_sheet(options.curve)
    named = options.inputs or sheet.input
    shots = _looked_at(options, _of_inputs(options, asked, sheet, named), say, demo=not named)
    check_usable(sheet, options.editor)
    return shots


def _of_inputs(
    options: AnimateOptions, asked: Asked, sheet: KeyframeSheet, named: Sequence[str]
) -> Wanted:
    output = options.output or sheet.output
    if named:
        inputs, ours = without_own_results(find_inputs(named), output, options.work)
    else:
        clip = _demo_clip(keep=not options.dry_run)
        inputs, ours = Inputs((Found(clip, clip.parent, is_named=True),), ()), []
        output = output or f"{DEMO_FOLDER.expanduser()}/"
    notes = [f"{len(ours)} results of earlier runs among the inputs were left out"] if ours else []
    read = also_read(asked.curve, sheet)
    placed = place_outputs(inputs, output, sheet.name, read, options.container, options.only)
    told = asked._replace(curve=absolute(asked.curve))
    return Wanted(
        list(placed.pairs),
        {made: told for _, made in placed.pairs},
        {told: sheet},
        [r._replace(asked=told) for r in (*inputs.refused, *placed.refused)],
        notes,
        read,
        [item.path for item in inputs.found if item.is_named],
    )


def _of_manifest(options: AnimateOptions, path: Path) -> Wanted:
    """A row's own words first, then the call's, then the curve's."""
    path = path.expanduser().absolute()
    if options.inputs:
        raise JobError("--manifest: names the inputs; expected no --input beside it")
    if options.output and not is_folder(options.output):
        raise JobError(f"--output {options.output}: one file for a manifest; give a folder")
    wanted = Wanted()
    rows: list[tuple[Row, Path, Path]] = []
    curves = Curves(options.editor)
    for row in read_manifest(path):
        made = row if isinstance(row, Refused) else _of_row(row, options, curves)
        if isinstance(made, Refused):
            wanted.refused.append(made)
        else:
            rows.append(made)
    wanted.also_read = [path, *curves.also_read]
    _place(rows, wanted)
    used = set(wanted.asked.values())
    wanted.sheets = {asked: sheet for asked, sheet in curves.sheets.items() if asked in used}
    return wanted


def _of_row(row: Row, options: AnimateOptions, curves: Curves) -> tuple[Row, Path, Path] | Refused:
    """A row with its source and its output."""
    curve = row.asked.curve or (absolute(options.curve) if options.curve else "")
    view = named_view(row.asked.view or options.view)
    row = replace(row, asked=row.asked._replace(curve=curve, view=view))
    found = one_video(row.input)
    if isinstance(found, Refused):
        return row.refused(found.why)
    row = replace(row, input=str(found.path))
    try:
        checked_view(view or BY_TAGS)
        sheet = curves.of(row.asked)
        output = row.output or options.output or sheet.output
        made = place_of(found, output, sheet.name, options.container, options.only)
        refuse_working_copy(made)
    except WRONG as error:
        return row.refused(str(error))
    return row, found.path, made


def _place(rows: Sequence[tuple[Row, Path, Path]], wanted: Wanted) -> None:
    """Takes the rows whose outputs can lie where they are to."""
    pairs = [(source, made) for _, source, made in rows]
    closed = _closed({made.parent for _, made in pairs})
    objections = objections_to(pairs, wanted.also_read)
    for (row, source, made), why in zip(rows, objections, strict=True):
        if told := why or closed.get(made.parent, ""):
            wanted.refused.append(row.refused(told, str(made)))
            continue
        wanted.pairs.append((source, made))
        wanted.asked[made] = row.asked
        wanted.named.append(source)


def _closed(folders: Iterable[Path]) -> dict[Path, str]:
    """Why results cannot be written into folders, of those where they cannot."""
    why: dict[Path, str] = {}
    for folder in folders:
        try:
            check_folder_place(folder, "output")
        except (JobError, StorageError) as error:
            why[folder] = str(error)
    return why


def _looked_at(options: AnimateOptions, wanted: Wanted, say: Say, *, demo: bool = False) -> Shots:
    """Leaves out what is not whole, not readable, or has no place for what lies beside it."""
    wish = element_wish(options)
    lacking = without_element_places(wanted.pairs, wish, wanted.also_read)
    wait = options.growing == "wait" and not options.dry_run
    sources = dict.fromkeys(source for source, _ in wanted.pairs)
    looked_at = list(dict.fromkeys(wanted.named))[:OPENED]
    unfit = unfit_sources({} if demo else sources, looked_at, wait=wait, say=say)
    lost = [*lacking.values()]
    lost += [Refused(str(s), unfit[s], str(o)) for s, o in wanted.pairs if s in unfit]
    left = [p for p in wanted.pairs if p not in lacking and p[0] not in unfit]
    rows, unread = video_rows(left, options.work, cache=options.cache_size)
    lost += unread
    refused = [*wanted.refused, *(r._replace(asked=wanted.asked[Path(r.output)]) for r in lost)]
    if not rows:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        first = refused[0].line if refused else "; ".join(wanted.notes)
        raise JobError(f"{'--manifest' if options.manifest else '--input'} {first}{more}")
    asked = {row["video"]: wanted.asked[Path(row["output"])] for row in rows}
    for row in rows:
        row["view"] = checked_view(asked[row["video"]].view or BY_TAGS)
    return Shots(rows, asked, wanted.sheets, refused, wanted.notes, wanted.also_read, demo)


def element_wish(options: AnimateOptions) -> ElementWish:
    """What compositors get beside each output."""
    return ElementWish(options.matte, options.sequence)


def _demo_clip(*, keep: bool) -> Path:
    """The demo clip, made where it is not there yet; for this process only, unless it is kept."""
    from pipeline.demo.clip import make_demo_clip

    path = DEMO_FOLDER.expanduser() / "demo.mp4"
    if path.is_file():
        return path
    if not keep:
        folder = Path(tempfile.mkdtemp(prefix="aureel-demo-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path = folder / path.name
    return make_demo_clip(path)

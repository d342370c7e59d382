"""Where elements beside the outputs go, and that nothing of anybody's stands there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from jobs.command_line.inputs import Refused
from jobs.command_line.outputs import FileIdentity, identities
from pipeline.files import LONGEST_NAME, read_json
from pipeline.media.read.origin import MADE_BY
from pipeline.media.write.elements.element import elements_of, places
from pipeline.media.write.elements.publishing import ABOUT
from pipeline.settings import ElementWish

Pair = tuple[Path, Path]


def without_element_places(
    pairs: Sequence[Pair], wish: ElementWish, protected: Iterable[Path]
) -> dict[Pair, Refused]:
    """The sources whose elements have no place, each with the reason.

    Args:
        pairs: source and output.
        protected: what else the job reads.
    """
    if wish == ElementWish():
        return {}
    footage = identities((*(path for pair in pairs for path in pair), *protected))
    taken: dict[Path, Path] = {}
    refused: dict[Pair, Refused] = {}
    for source, output in pairs:
        why = _objection(output, wish, footage)
        for place in places(output, wish).values():
            if taken.setdefault(place, output) != output:
                why = f"its {place} would be that of {taken[place]}; use another --output"
        if why:
            refused[source, output] = Refused(str(source), why, str(output))
    return refused


def _objection(output: Path, wish: ElementWish, footage: set[FileIdentity]) -> str:
    """Why the elements of an output cannot lie beside it; empty when they can."""
    names = [place.name for place in places(output, wish).values()]
    names += [e.picture_name(output, 0) for e in elements_of(wish) if not e.is_movie]
    longest = max((len(os.fsencode(name)) for name in names), default=0)
    if longest > LONGEST_NAME:
        return f"a name beside it would have {longest} bytes; file systems take {LONGEST_NAME}"
    for what, place in places(output, wish).items():
        if identities([place]) & footage:
            return f"its {what} {place} is footage of this job; use another --output"
        is_folder = not place.suffix or place.suffix == f".{what}"
        if is_folder and place.exists() and not _is_ours(place):
            return f"{place} is in the way of its {what}, and was not made by aureel"
        if not is_folder and place.is_dir():
            return f"{place} is a folder; expected room for the file of its {what}"
    return ""


def _is_ours(folder: Path) -> bool:
    about: Any = read_json(folder / ABOUT) if folder.is_dir() else None
    return isinstance(about, dict) and cast("dict[str, Any]", about).get("made") == MADE_BY

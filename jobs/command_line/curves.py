"""The curves of a call, each looked up once: who asks for the same gets the same sheet."""

from __future__ import annotations

from pathlib import Path

from engines.choice import check_shuts_eyes
from engines.errors import EngineError
from jobs.command_line.inputs import Asked, expand_inputs, shown
from jobs.errors import JobError
from keyframes.errors import KeyframeError
from keyframes.load import load_sheet
from keyframes.presets import known_presets
from keyframes.sheet import KeyframeSheet
from keyframes.sheet_file.narrow import narrowed
from pipeline.errors import PipelineError
from pipeline.storage.copies import fetch

Sheets = dict[Asked, KeyframeSheet]
"""What is asked for → its sheet, driving videos still to be measured."""
WRONG = (JobError, KeyframeError, EngineError, PipelineError)
"""What may be wrong with a curve, or with one row of a manifest while the others are made."""


class Curves:
    """Curves by what is asked for; one that is wrong is so for everybody who asks for it."""

    def __init__(self, editor: str) -> None:
        """
        Args:
            editor: as the call names it.
        """
        self._editor = editor
        self._files: dict[str, KeyframeSheet | str] = {}
        self.sheets: Sheets = {}
        self.also_read: list[Path] = []

    def of(self, asked: Asked) -> KeyframeSheet:
        """The sheet of a curve file or preset, for the faces and the range that are asked for.

        Raises:
            JobError: it cannot be used, and why.
            KeyframeError: it has faces or ranges of its own.
        """
        if asked not in self.sheets:
            said = {"faces": asked.faces, "range": asked.range, "fade": asked.fade}
            sheet = self._file(asked.curve)
            self.sheets[asked] = narrowed(sheet, said) if any(said.values()) else sheet
        return self.sheets[asked]

    def _file(self, curve: str) -> KeyframeSheet:
        if curve not in self._files:
            try:
                self._files[curve] = self._loaded(curve)
            except WRONG as error:
                self._files[curve] = str(error)
        found = self._files[curve]
        if isinstance(found, str):
            raise JobError(found)
        return found

    def _loaded(self, curve: str) -> KeyframeSheet:
        if not curve:
            raise JobError("no curve; expected one in the row, or --curve for all without")
        fetch(Path(curve))
        sheet = load_sheet(curve)
        read = also_read(curve, sheet)
        check_usable(sheet, self._editor)
        self.also_read += read
        return sheet


def absolute(curve: str) -> str:
    """A curve as another call finds it from anywhere: its file's whole path, or a preset's name."""
    path = Path(curve)
    is_preset = curve.removesuffix(".yaml").removesuffix(".yml") in known_presets()
    return curve if is_preset and not path.is_file() else shown(path.absolute())


def also_read(curve: str, sheet: KeyframeSheet) -> list[Path]:
    """What a curve reads: its file, driving videos, people's pictures.

    Raises:
        JobError: a driving video that is not there.
    """
    pictures = [Path(picture) for person in sheet.people for picture in person.pictures]
    videos = expand_inputs([video for video, _ in sheet.videos()])
    return [Path(curve), *videos, *pictures]


def check_usable(sheet: KeyframeSheet, editor: str) -> None:
    """Refuses a curve that no clip can be made with, by this editor and these pictures.

    Raises:
        EngineError: an editor that was named and cannot shut eyes.
        PipelineError: pictures that cannot tell people apart.
    """
    if sheet.shuts_eyes:
        check_shuts_eyes("editor", editor)
    if sheet.people:
        from pipeline.faces.recognise import check_people  # a tracker and a network

        check_people(sheet)

"""A run of `train` as what the protocol is repeated with: the weights of its checkpoints."""

from __future__ import annotations

from pathlib import Path

from engines.editors.magicface.training.saved.run_folder import checkpoints, read_facts
from jobs.command_line.options.studies import ProtocolOptions
from jobs.errors import JobError

EDITOR = "magicface"


def found_checkpoints(options: ProtocolOptions) -> list[tuple[int, Path]]:
    """(step, folder) of every whole checkpoint, oldest first; none where none are asked for.

    Raises:
        JobError: there is none, or something else is asked for that chooses weights or guidance.
    """
    run = options.checkpoints
    if run is None:
        return []
    said = options.editor_options.given()
    other = "--weights" if "weights" in said else "--sweep" if options.sweep else ""
    if other:
        raise JobError(f"--checkpoints and {other}: give one of them")
    if options.editor not in ("auto", EDITOR):
        raise JobError(f"--checkpoints: are of {EDITOR}; got --editor {options.editor}")
    found = [(read_facts(folder).step, folder) for folder in checkpoints(run.expanduser())]
    if not found:
        raise JobError(f"--checkpoints {run}: no step-…; expected the output folder of `train`")
    return [(step, folder.absolute()) for step, folder in found]


def with_weights(options: ProtocolOptions, weights: Path) -> ProtocolOptions:
    """The same with the editor and weights of a checkpoint."""
    told = options.editor_options.model_copy(update={"weights": str(weights)})
    return options.model_copy(update={"editor": EDITOR, "editor_options": told})

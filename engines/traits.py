"""What is known of an engine before it is loaded: what it may be told, what it needs and costs.

Imports nothing heavy: a command's help asks every engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engines.errors import EngineError


@dataclass(frozen=True)
class Option:
    """One thing an engine may be told: a keyword of its class and an option of the commands.

    Attributes:
        name: the keyword. An editor's is `--name`; a tracker's has `--tracker-` before it, an AU
            estimator's `--au-`.
        kind: str, int, float, bool, or Path for what may name a file or folder: it becomes absolute
            where something lies there (a worker's current folder is another one), and counts in
            digests by the class's `weights_digest`, not by where it lies.
        help: what it does, in a clause.
        choices: the words it may be; empty = any.
        least, most: bounds of a number, both included.
    """

    name: str
    kind: type[str | int | float | bool | Path]
    help: str
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or not self.name.islower():
            raise EngineError(f"option {self.name!r}: expected a keyword in lower case")


@dataclass(frozen=True)
class Traits:
    """An engine as the choice between engines, the commands and the pipeline see it.

    Attributes:
        options: what it may be told beyond its name; a setting that is not among them never
            reaches it. With an option `device`, the value `cpu` keeps it off every GPU.
        modules: packages it cannot be imported without.
        extra: the extra of aureel that installs them.
        gpu_share: of one GPU, for one actor, 0 < share ≤ 1; it then serves all of an actor's work
            from one process, and `auto` takes it only where there is a GPU (asked for by name it
            also runs on a CPU). 0 = it runs in ordinary tasks, one per core.
        seconds_per_edit: rough cost of one frame, for an editor; it sets the length of segments.
        is_preview: an editor whose result is looked at, not delivered.
        borrows: an editor that is lent what other frames of the same shot show
            (`AlignedCrops.lent`).
        shuts_eyes: an editor that draws `AUDelta.lids`; others are refused curves that move them.
        any_size: an editor that takes crops of any side, so that a large face's is as fine as the
            plate; `crop_size` is the least.
    """

    options: tuple[Option, ...] = ()
    modules: tuple[str, ...] = ()
    extra: str = ""
    gpu_share: float = 0.0
    seconds_per_edit: float = 0.02
    is_preview: bool = False
    borrows: bool = False
    shuts_eyes: bool = False
    any_size: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.gpu_share <= 1:
            raise EngineError(f"engine traits: got gpu_share {self.gpu_share}; expected 0…1")

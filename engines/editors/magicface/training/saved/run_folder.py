"""The checkpoints in a run's folder, and what each is of. Imports nothing heavy."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from engines.errors import EngineError

FACTS = "training.json"


@dataclass(frozen=True)
class Facts:
    """What a checkpoint is of.

    Attributes:
        recipe: as a dict.
        pairs: digest of the latents.
        provenance: of the pairs, as they carry it.
    """

    step: int
    recipe: dict[str, Any]
    pairs: str
    provenance: dict[str, Any]


def checkpoint_name(step: int) -> str:
    """Of the folder of the weights after so many steps."""
    return f"step-{step:08d}"


def checkpoints(run: Path) -> list[Path]:
    """The whole ones of a run, oldest first."""
    return sorted(path for path in run.glob("step-*") if (path / FACTS).is_file())


def read_facts(folder: Path) -> Facts:
    """What a checkpoint is of.

    Raises:
        EngineError: not a checkpoint of ours.
    """
    try:
        said = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return Facts(**{field.name: said[field.name] for field in fields(Facts)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{folder / FACTS}: not readable: {error}") from None

"""Drawn people beside the footage: how many, and a file of pairs for each."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from engines.editors.magicface.training.examples.pairs import Provenance
from pipeline.pairs.clip import write_part
from pipeline.pairs.pictures import CropSettings
from pipeline.pairs.rules import PairRules
from pipeline.pairs.synthetic import drawn_rows
from pipeline.settings import digest_of

DRAWN_VERSION = 2
"""Raise when people are drawn otherwise."""
PER_PERSON = 20
"""Pairs of a drawn person: there are as many people as one likes, so few pairs of each."""


@dataclass(frozen=True)
class DrawnPerson:
    """A drawn person's pairs.

    Attributes:
        number: as pipeline/heads counts people.
        pairs: how many.
        part: their file, named by all that they depend on.
    """

    number: int
    pairs: int
    part: Path

    @property
    def name(self) -> str:
        return f"drawn person {self.number}"

    @property
    def digest(self) -> str:
        """What stands for the SHA-256 of footage."""
        return hashlib.sha256(self.name.encode()).hexdigest()

    @property
    def provenance(self) -> Provenance:
        nobody = "not needed: drawn, nobody's likeness"
        return Provenance(self.name, "CC0 (MakeHuman)", nobody, may_train=True)


def drawn_people(
    parts: list[Path], share: float, rules: PairRules, crops: CropSettings, folder: Path
) -> list[DrawnPerson]:
    """As many people as it takes for their pairs to be a share of all.

    Args:
        parts: files of the footage's pairs; share: 0…1, below 1.
        folder: of the files.
    """
    wanted = round(sum(pq.read_metadata(p).num_rows for p in parts) * share / (1 - share))
    people: list[DrawnPerson] = []
    for number in range(math.ceil(wanted / PER_PERSON)):
        count = min(PER_PERSON, wanted - number * PER_PERSON)
        digest = digest_of(DRAWN_VERSION, number, count, rules.seed, crops)
        people.append(DrawnPerson(number, count, folder / f"drawn-{number:04d}-{digest}.parquet"))
    return people


def make_drawn(
    number: int, pairs: int, digest: str, crops: CropSettings, seed: int, part: Path
) -> None:
    """Writes the pairs of a drawn person."""
    rows = [row | {"clip": digest} for row in drawn_rows(number, pairs, crops, seed)]
    write_part(part, rows, {"drawn": len(rows)})

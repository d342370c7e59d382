"""aureel-387: our own list of 387 combinations of action units, frozen.

The paper's 387 are published nowhere, and no count of subsets of 12 gives that number (66 pairs,
286 with the triples). Ours: all pairs and triples without an antagonism, filled up to 387 with
quadruples in the order of a hash. Levels 1…5 (FACS A–E) come from hashes as well: no library's
random numbers are in it. What counts is the packaged file; `made_by_rule` says how it came to be.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import resources
from itertools import combinations

from keyframes.au import AU_ORDER

NAME = "aureel-387"
COUNT = 387
ANTAGONISTS = ((12, 15), (17, 26))
"""Pulled against each other: lip corners up and down, chin up and jaw down."""
LEVELS = 5

Levels = dict[int, int]
"""Action unit → level 1…5."""


@cache
def frozen() -> tuple[Levels, ...]:
    """The packaged list."""
    stored = json.loads(_content())
    return tuple({int(au): level for au, level in one.items()} for one in stored)


@cache
def digest() -> str:
    """SHA-256 of the packaged list, hex."""
    return hashlib.sha256(_content()).hexdigest()


def _content() -> bytes:
    return (resources.files("pipeline.studies") / f"{NAME}.json").read_bytes()


def made_by_rule() -> tuple[Levels, ...]:
    """The list, by its rule."""
    pairs, triples, quadruples = (
        [units for units in combinations(AU_ORDER, size) if not _is_torn(units)]
        for size in (2, 3, 4)
    )
    wanted = COUNT - len(pairs) - len(triples)
    filled = sorted(sorted(quadruples, key=_draw)[:wanted])
    return tuple({au: _level(units, au) for au in units} for units in (*pairs, *triples, *filled))


def as_text(listed: tuple[Levels, ...]) -> str:
    """The file's text."""
    rows = [json.dumps({str(au): level for au, level in one.items()}) for one in listed]
    return "[\n" + ",\n".join(rows) + "\n]\n"


def _is_torn(units: tuple[int, ...]) -> bool:
    return any(one in units and other in units for one, other in ANTAGONISTS)


def _draw(units: tuple[int, ...]) -> str:
    return _hash("+".join(map(str, units)))


def _level(units: tuple[int, ...], au: int) -> int:
    return 1 + int(_hash(f"{'+'.join(map(str, units))}:{au}"), 16) % LEVELS


def _hash(text: str) -> str:
    return hashlib.sha256(f"{NAME}/{text}".encode()).hexdigest()

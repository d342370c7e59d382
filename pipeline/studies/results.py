"""A study's rows as tables: means as the paper prints them, and every still in a CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keyframes.au import AU_NAMES
from pipeline.files import published
from pipeline.studies.design import LETTERS

StillRow = dict[str, Any]
MEANS = ("au_mse", "au_mse_12", "identity", "background", "read", "moved")
ROOTS = ("rotation", "pitch")
"""Root of the mean square, as the paper's pose error."""
TWELVE = ("asked", "measured", "achieved")
PLAIN = ("person", "cell", "kind", "mode", "guidance", "checkpoint", "found", *MEANS, *ROOTS)
"""Columns of the CSV before the units."""


def figures(rows: Sequence[StillRow]) -> dict[str, Any]:
    """Means over stills; None where nothing could be measured."""
    found: dict[str, Any] = {
        "stills": len(rows),
        "faceless": sum(not row["found"] for row in rows),
    }
    for name in (*MEANS, *ROOTS):
        values = np.array([row[name] for row in rows if row[name] is not None], float)
        mean = float((values**2).mean() ** 0.5 if name in ROOTS else values.mean()) if len(
            values
        ) else None  # fmt: skip
        found[name] = None if mean is None else round(mean, 5)
    return found


def grouped(rows: Iterable[StillRow], key: Callable[[StillRow], str]) -> dict[str, dict[str, Any]]:
    """Figures of each group, in the order in which groups first come."""
    groups: dict[str, list[StillRow]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return {name: figures(members) for name, members in groups.items()}


def summary(rows: Sequence[StillRow]) -> dict[str, Any]:
    """Figures in all, single units and combinations apart, by unit, by level, by person."""
    single = [row for row in rows if row["kind"] == "single"]
    return {
        "all": figures(rows),
        "by_kind": grouped(rows, lambda row: row["kind"]),
        "by_unit": grouped(single, lambda row: f"AU{row['aus'][0]}"),
        "by_level": grouped(single, lambda row: LETTERS[row["levels"][0] - 1]),
        "by_person": grouped(rows, lambda row: row["person"]),
    }


def write_csv(path: Path, rows: Sequence[StillRow]) -> None:
    """A row per still, units spread over columns; empty cells are unknown."""
    names = [f"{au}_{what}" for what in TWELVE for au in AU_NAMES]
    with published(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([*PLAIN, *names])
        for row in rows:
            twelve = [value for what in TWELVE for value in row[what]]
            table.writerow(["" if v is None else v for v in (*(row[n] for n in PLAIN), *twelve)])


def write_checkpoints_csv(path: Path, results: Sequence[dict[str, Any]]) -> None:
    """A row per checkpoint and mode: figures over all stills; empty cells are unknown."""
    names = ("stills", "faceless", *MEANS, *ROOTS)
    with published(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["checkpoint", "mode", "guidance", *names])
        for one in results:
            known = one["summary"]["all"]
            row = [one["checkpoint"], one["mode"], one["guidance"], *(known[n] for n in names)]
            table.writerow(["" if value is None else value for value in row])

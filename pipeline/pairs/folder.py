"""Clips' pairs as one folder: numbered, split by person, with statistics."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engines.editors.magicface.training.examples.pairs import (
    FACTS,
    HELD_OUT,
    PARTS,
    SCHEMA,
    TRAIN,
    PairsFacts,
    Provenance,
)
from keyframes.au import AU_NAMES
from pipeline.errors import PipelineError
from pipeline.files import published, write_json
from pipeline.pairs.clip import COUNTS
from pipeline.pairs.pictures import CropSettings
from pipeline.pairs.rules import PairRules, added


@dataclass(frozen=True)
class ClipPairs:
    """Pairs of one clip, and who is in it.

    Attributes:
        person: whom it shows; where that is not said, all in it count as one that no other has.
    """

    part: Path
    sha256: str
    provenance: Provenance
    person: str = ""


def publish_pairs(
    folder: Path,
    clips: list[ClipPairs],
    rules: PairRules,
    crops: CropSettings,
    *,
    held_out: float,
    au_by: str,
) -> PairsFacts:
    """Writes `pairs/part-*.parquet`, one per clip, and at last pairs.json.

    Args:
        held_out: share of people whose pairs are held out; one at least where there are two.
    Raises:
        PipelineError: there is not one pair.
    """
    clips = sorted({clip.sha256: clip for clip in clips}.values(), key=lambda clip: clip.sha256)
    tables = [_named(pq.read_table(clip.part), clip) for clip in clips]
    tables, doubled = _without_doubles(tables)
    if not sum(map(len, tables)):
        raise PipelineError(f"no pairs: {_why(_counts(clips))}; expected rules that leave some")
    people = sorted({who for table in tables for who in table["identity"].to_pylist()})
    held = held_out_people(people, held_out, rules.seed)
    (folder / FACTS).unlink(missing_ok=True)  # the folder is no set of pairs until it is whole
    shutil.rmtree(folder / PARTS, ignore_errors=True)
    (folder / PARTS).mkdir(parents=True)
    first = 0
    for number, table in enumerate(table for table in tables if len(table)):
        with published(folder / PARTS / f"part-{number:05d}.parquet") as partial:
            pq.write_table(_numbered(table, first, held), partial, row_group_size=64)
        first += len(table)
    counts = _counts(clips) | {"doubled": doubled}
    facts = PairsFacts(
        crops.size,
        first,
        au_by,
        crops.dots,
        {clip.sha256: clip.provenance for clip in clips},
        asdict(rules) | {"mask": crops.mask, "held_out": held_out},
        _statistics(tables, held) | {"counts": counts},
    )
    write_json(folder / FACTS, facts.as_json())
    return facts


def held_out_people(people: list[str], share: float, seed: int) -> set[str]:
    """Who is held out; a person's place does not depend on who else there is, but for the first."""

    def place(who: str) -> float:
        digest = hashlib.sha256(f"{seed}/{who}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64

    held = {who for who in people if place(who) < share}
    if share and len(people) > 1:
        held = held or {min(people, key=place)}
        if len(held) == len(people):
            held -= {max(people, key=place)}
    return held if len(people) > 1 else set()


def _named(table: pa.Table, clip: ClipPairs) -> pa.Table:
    names = [clip.person or f"clip {clip.sha256[:16]}"] * len(table)
    place = SCHEMA.get_field_index("identity")
    return table.set_column(place, "identity", pa.array(names, pa.string()))


def _without_doubles(tables: list[pa.Table]) -> tuple[list[pa.Table], int]:
    """Pairs whose two pictures were there before, in this clip or another, are left out."""
    seen: set[bytes] = set()
    kept: list[pa.Table] = []
    doubled = 0
    for table in tables:
        fresh: list[bool] = []
        for source, target in zip(table["source"], table["target"], strict=True):
            key = hashlib.sha256(source.as_py() + target.as_py()).digest()
            fresh.append(key not in seen)
            seen.add(key)
        doubled += fresh.count(False)
        kept.append(table.filter(pa.array(fresh, pa.bool_())))
    return kept, doubled


def _numbered(table: pa.Table, first: int, held: set[str]) -> pa.Table:
    split = [HELD_OUT if who in held else TRAIN for who in table["identity"].to_pylist()]
    columns = {
        "pair": pa.array(range(first, first + len(table)), pa.int64()),
        "split": pa.array(split, pa.string()),
    }
    for name, values in columns.items():
        table = table.set_column(SCHEMA.get_field_index(name), name, values)
    return table.cast(SCHEMA).replace_schema_metadata(None)


def _counts(clips: list[ClipPairs]) -> dict[str, Any]:
    total: dict[str, Any] = {}
    for clip in clips:
        metadata: Mapping[bytes, bytes] = pq.read_schema(clip.part).metadata or {}
        total = added(total, json.loads(metadata.get(COUNTS, b"{}")))
    return total


def _why(counts: Mapping[str, Any]) -> str:
    """The first rule that left nothing."""
    for name, count in counts.items():
        if not count:
            return f"none {name}"
    return "no face was found"


def _statistics(tables: list[pa.Table], held: set[str]) -> dict[str, Any]:
    au = np.concatenate([np.array(t["au"].to_pylist(), np.float32).reshape(-1, 12) for t in tables])
    who = [name for table in tables for name in table["identity"].to_pylist()]
    kinds = Counter(kind for table in tables for kind in table["kind"].to_pylist())
    return {
        "kinds": dict(sorted(kinds.items())),
        "people": len(set(who)),
        "held_out_people": sorted(held),
        "held_out_pairs": sum(name in held for name in who),
        "au_change": {
            name: {
                "mean_size": round(float(np.abs(column).mean()), 3),
                "over_1": round(float((np.abs(column) > 1).mean()), 3),
                "least": round(float(column.min()), 3),
                "most": round(float(column.max()), 3),
            }
            for name, column in zip(AU_NAMES, au.T, strict=True)
        },
    }

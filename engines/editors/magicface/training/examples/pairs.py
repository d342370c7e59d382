"""Pairs on disk: what `make_pairs` writes and training reads. Imports no torch.

    PAIRS/pairs.json               facts of all of them (`PairsFacts`)
    PAIRS/pairs/part-*.parquet     a row per pair (`SCHEMA`)

Pictures are PNGs, square and of one size; landmarks are pixels of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.weights.file_hash import file_sha256
from keyframes.au import AU_NAMES, AU_ORDER, DELTA_LIMIT

VERSION = 2
FACTS = "pairs.json"
PARTS = "pairs"
TRAIN, HELD_OUT = "train", "held-out"
LEAST_SIZE = 32
KINDS = ("footage", "warped", "drawn")
"""Two frames, measured; one frame and the same warped by a known change; a drawn person, known."""
_AUS = pa.list_(pa.float32(), len(AU_ORDER))
_POINTS = pa.list_(pa.float32(), 136)
SCHEMA = pa.schema(
    [
        ("pair", pa.int64()),  # 0…N − 1, in the order of the files
        ("clip", pa.string()),  # SHA-256 of the footage, a key of the provenance
        ("identity", pa.string()),  # who it is; nobody is in both splits
        ("split", pa.string()),  # train or held-out
        ("kind", pa.string()),  # of KINDS
        ("track", pa.int64()),
        ("source_frame", pa.int64()),
        ("target_frame", pa.int64()),
        ("distance_s", pa.float32()),
        ("pose_change", pa.float32()),  # degrees
        ("source", pa.binary()),
        ("target", pa.binary()),
        ("background", pa.binary()),  # the target's, without its person, with jaw dots
        ("mask", pa.binary()),  # what was blacked out of it, grey, 255 = person
        ("source_landmarks", _POINTS),
        ("target_landmarks", _POINTS),
        ("source_au", _AUS),  # in AU_ORDER; 0…5, but what was made may lie outside
        ("target_au", _AUS),
        ("au", _AUS),  # target − source, what training shows
    ]
)
_LICENCES = ("licence", "consent")


@dataclass(frozen=True)
class Provenance:
    """Where a clip comes from and what may be done with it.

    Attributes:
        licence: under which it may be used, e.g. `CC-BY-4.0`, `own footage`.
        consent: of the people in it, e.g. a reference to the signed form.
        may_train: whether a model may be trained on it.
    """

    name: str
    licence: str = ""
    consent: str = ""
    may_train: bool = False

    @property
    def fault(self) -> str:
        """What is missing of it; empty when nothing is."""
        absent = [name for name in _LICENCES if not getattr(self, name).strip()]
        if absent:
            return f"no {' and no '.join(absent)}"
        return "" if self.may_train else "may_train is not true"


@dataclass(frozen=True)
class PairsFacts:
    """What holds for all pairs.

    Attributes:
        size: side of the pictures, pixels.
        aus: names of the AU columns, in order.
        au_by: what measured them; `mesh` is no ground truth.
        dots: whose jaw is drawn on the background, `target` (as the paper) or `source`.
        clips: SHA-256 → provenance.
        rules: by which they were chosen.
        statistics: of what was chosen and left out.
    """

    size: int
    pairs: int
    au_by: str
    dots: str
    clips: dict[str, Provenance]
    rules: dict[str, Any]
    statistics: dict[str, Any] = field(default_factory=dict)
    aus: tuple[str, ...] = AU_NAMES
    version: int = VERSION

    def as_json(self) -> dict[str, Any]:
        """What pairs.json holds."""
        return asdict(self)


@dataclass(frozen=True)
class Pairs:
    """Pairs that were looked at and may be trained on.

    Attributes:
        au: `(N, 12)` float32; held_out: `(N,)` bool.
        same_view: `(N,)` bool: nothing but the expression differs, and by a known change.
    """

    folder: Path
    facts: PairsFacts
    au: NDArray[np.float32]
    held_out: NDArray[np.bool_]
    same_view: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.au)

    @cached_property
    def digest(self) -> str:
        """Of every byte that training sees."""
        hashes = [file_sha256(path) for path in part_files(self.folder)]
        said = {"facts": self.facts.as_json(), "parts": hashes}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def pictures(self, rows: range) -> Iterator[tuple[NDArray[np.uint8], ...]]:
        """(source, target, background) of some pairs in turn, `(S, S, 3)` uint8 RGB.

        Raises:
            EngineError: a picture that cannot be read or is of another size.
        """
        at = 0
        for path in part_files(self.folder):
            file = pq.ParquetFile(path)
            for group in range(file.num_row_groups):
                count = file.metadata.row_group(group).num_rows
                wanted = range(max(rows.start, at), min(rows.stop, at + count))
                if wanted:
                    table = file.read_row_group(group, ["source", "target", "background"])
                    yield from (self._decoded(table, row - at, row) for row in wanted)
                at += count

    def _decoded(self, table: pa.Table, place: int, row: int) -> tuple[NDArray[np.uint8], ...]:
        return tuple(
            _picture(table[name][place].as_py(), self.facts.size, f"pair {row}: {name}")
            for name in ("source", "target", "background")
        )


def _picture(data: bytes, size: int, what: str) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise EngineError(f"{what}: not a readable picture")
    if image.shape != (size, size, 3):
        raise EngineError(f"{what}: got {image.shape[1]}x{image.shape[0]}; expected {size}x{size}")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8)


def part_files(folder: Path) -> list[Path]:
    """The Parquet files, in the order of their pairs."""
    return sorted((folder / PARTS).glob("part-*.parquet"))


def read_facts(folder: Path) -> PairsFacts:
    """pairs.json.

    Raises:
        EngineError: no such folder, not readable, or of another version.
    """
    path = folder / FACTS
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if said.get("version") != VERSION:
            raise EngineError(f"{path}: got version {said.get('version')}; expected {VERSION}")
        clips = {key: Provenance(**value) for key, value in said["clips"].items()}
        known = {f.name: said[f.name] for f in fields(PairsFacts)}
        return PairsFacts(**known | {"clips": clips, "aus": tuple(said["aus"])})
    except FileNotFoundError:
        raise EngineError(f"no pairs in {folder}: expected {FACTS}, as make-pairs writes") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"{path}: not readable: {error!r}") from None


def open_pairs(folder: Path, *, size: int, need_provenance: bool = True) -> Pairs:
    """Look at pairs before anything is trained on them; reads no picture.

    Args:
        size: side of the pictures that the weights are of.
        need_provenance: refuse footage without a licence, consent and leave to train.
    Raises:
        EngineError: pictures of another size, AUs in another order, a sign that is turned round,
            a person on both sides of the split, footage that may not be trained on.
    """
    facts = read_facts(folder)
    if facts.size != size:
        raise EngineError(
            f"{folder}: pictures of {facts.size} px; expected {size} px, as the weights are of: "
            f"make-pairs --size {size}"
        )
    if facts.aus != AU_NAMES:
        raise EngineError(
            f"{folder}: AUs in the order {', '.join(facts.aus)}; expected {', '.join(AU_NAMES)}"
        )
    columns = [name for name in SCHEMA.names if SCHEMA.field(name).type != pa.binary()]
    table = _read_columns(folder, columns)
    if len(table) != facts.pairs or not facts.pairs:
        raise EngineError(
            f"{folder}: {len(table)} pairs; expected the {facts.pairs} of {FACTS}, at least 1"
        )
    _check_split(folder, table)
    if need_provenance:
        _check_provenance(folder, facts, table)
    return Pairs(folder, facts, _checked_aus(folder, table), _held_out(table), _same_view(table))


def _same_view(table: pa.Table) -> NDArray[np.bool_]:
    made = np.array([kind != KINDS[0] for kind in table["kind"].to_pylist()])
    return made & (np.array(table["pose_change"].to_pylist()) == 0)


def _read_columns(folder: Path, columns: list[str]) -> pa.Table:
    parts = part_files(folder)
    if not parts:
        raise EngineError(f"{folder}: no {PARTS}/part-*.parquet")
    tables: list[pa.Table] = []
    for path in parts:
        try:
            found = pq.read_schema(path)
            if not found.equals(SCHEMA):
                odd = [n for n in SCHEMA.names if n not in found.names] or "columns' types"
                raise EngineError(f"{path}: not of this schema: {odd}")
            tables.append(pq.read_table(path, columns=columns))
        except (pa.ArrowInvalid, OSError) as error:
            raise EngineError(f"{path}: not readable: {error}") from None
    return pa.concat_tables(tables)


def _held_out(table: pa.Table) -> NDArray[np.bool_]:
    return np.array([split == HELD_OUT for split in table["split"].to_pylist()])


def _check_split(folder: Path, table: pa.Table) -> None:
    splits: dict[str, set[str]] = {}
    for identity, split in zip(
        table["identity"].to_pylist(), table["split"].to_pylist(), strict=True
    ):
        splits.setdefault(identity, set()).add(split)
    odd = {split for seen in splits.values() for split in seen} - {TRAIN, HELD_OUT}
    if odd:
        raise EngineError(f"{folder}: split {min(odd)!r}; expected {TRAIN} or {HELD_OUT}")
    both = sorted(identity for identity, seen in splits.items() if len(seen) > 1)
    if both:
        raise EngineError(
            f"{folder}: {both[0]!r} is in {TRAIN} and in {HELD_OUT}; expected each person in one, "
            "or held-out losses say nothing"
        )


def _check_provenance(folder: Path, facts: PairsFacts, table: pa.Table) -> None:
    for clip in sorted(set(table["clip"].to_pylist())):
        known = facts.clips.get(clip)
        fault = known.fault if known else "no provenance"
        if fault:
            name = known.name if known else clip[:12]
            raise EngineError(
                f"{folder}: {name}: {fault}; expected licence, consent and may_train of every clip "
                "(make-pairs --provenance FILE), or --without-provenance"
            )


def _checked_aus(folder: Path, table: pa.Table) -> NDArray[np.float32]:
    au, source, target = (_matrix(table, name) for name in ("au", "source_au", "target_au"))
    fits = np.isfinite(au) & (np.abs(au) <= DELTA_LIMIT)
    if not fits.all():
        raise EngineError(
            f"{folder}: pair {int(np.argmin(fits.all(axis=1)))}: AU deltas outside "
            f"±{DELTA_LIMIT:g}, or not numbers"
        )
    wrong = ~np.isclose(au, target - source, atol=1e-3).all(axis=1)
    if wrong.any():
        raise EngineError(
            f"{folder}: pair {int(np.argmax(wrong))}: au is not target_au − source_au; expected "
            "that sign, as the editor's deltas have it"
        )
    return au


def _matrix(table: pa.Table, name: str) -> NDArray[np.float32]:
    flat = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(-1, len(AU_ORDER)).astype(np.float32)

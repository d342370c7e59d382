"""Delimited text read column by column: CSV, `;` and tabs, UTF-8 and UTF-16.

One bad cell or row costs that row: it is left out and counted, with the line of the first. Arrow
reads the numbers; a file with a cell that is none is read a second time, cell by cell.
"""

# pyarrow ships no types: what comes out of it is checked by the annotations here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from keyframes.errors import KeyframeError
from keyframes.formats.rows.layout import TextLayout, read_layout

MAX_ROWS = 5_000_000
"""More than a day at 50 frames per second."""
_BLOCK = 1 << 20
_NOT_MEASURED = (
    "", "nan", "NaN", "NAN", "-nan", "-NaN", "nan(ind)", "-nan(ind)", "NaN(ind)", "-NaN(ind)",
    "nan(snan)", "-nan(snan)", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "1.#IND00",
    "-1.#IND00", "1.#QNAN0", "-1.#QNAN0", "NA", "N/A", "n/a", "#N/A", "null", "NULL", "None",
    "none", "-", "--",
)  # fmt: skip

Array = NDArray[np.float64]
Rows = NDArray[np.bool_]


@dataclass(frozen=True)
class Columns:
    """Some columns of a file.

    Attributes:
        path: the file.
        lines: `(M,)`, the line each row stands in, from 1.
        numbers: by lower-case name, `(M,)` float64; NaN for what was not measured.
        texts: by lower-case name.
        peaks: by lower-case name, the largest value of columns that were asked for that alone.
        notes: rows that could not be used.
    """

    path: Path
    lines: NDArray[np.int64]
    numbers: dict[str, Array]
    texts: dict[str, list[str]]
    peaks: dict[str, float] = field(default_factory=dict[str, float])
    notes: tuple[str, ...] = ()

    def with_note(self, note: str) -> Columns:
        """The same with one more note."""
        return replace(self, notes=(*self.notes, note))

    def of_rows(self, rows: Rows, what: str) -> Columns:
        """The same of some rows only.

        Raises:
            KeyframeError: none of them is left.
        """
        if not rows.any():
            raise KeyframeError(f"{self.path}: no rows of {what}")
        if rows.all():
            return self
        kept = np.flatnonzero(rows).tolist()
        return replace(
            self,
            lines=self.lines[rows],
            numbers={name: column[rows] for name, column in self.numbers.items()},
            texts={name: [column[row] for row in kept] for name, column in self.texts.items()},
        )


def _positions(path: Path, layout: TextLayout, names: Sequence[str]) -> list[int]:
    found: list[int] = []
    for name in names:
        times = layout.names.count(name)
        if times != 1:
            shown = ", ".join(layout.names[:12]) + (", …" if len(layout.names) > 12 else "")
            said = f"column {name!r} stands twice" if times else f"no column {name!r}"
            raise KeyframeError(f"{path}:{layout.skipped}: {said}; found: {shown}")
        found.append(layout.names.index(name))
    return found


def read_columns(
    path: Path,
    numbers: Sequence[str],
    texts: Sequence[str] = (),
    peaks_of: Sequence[str] = (),
) -> Columns:
    """The named columns of a file.

    Args:
        path: a text with a header; spaces around cells do not matter.
        numbers: columns of numbers.
        texts: columns of anything else.
        peaks_of: columns of which the largest value is enough.

    Raises:
        KeyframeError: a column that is not there or twice, no rows, or more rows that cannot be
            read than can; with line and column.
    """
    layout = read_layout(path)
    wanted = dict(zip((*numbers, *peaks_of, *texts), _positions(
        path, layout, (*numbers, *peaks_of, *texts)), strict=True))  # fmt: skip
    reading = _Reading(path, layout, wanted, numbers, texts, peaks_of)
    try:
        try:
            return reading.columns()
        except pa.ArrowInvalid:
            return reading.again(tolerant=True).columns()
    except (pa.ArrowException, UnicodeError, OSError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise KeyframeError(f"{path}: not a CSV text: {said}") from None


@dataclass
class _Reading:
    """One pass over a file; strict about cells, or tolerant, with or without quotes."""

    path: Path
    layout: TextLayout
    wanted: Mapping[str, int]
    numbers: Sequence[str]
    texts: Sequence[str]
    peaks_of: Sequence[str]
    tolerant: bool = False
    quoted: bool = True
    open_quote: str = ""
    """What is said of a quote that never ends; it would swallow the rest of the file."""
    bad_lines: list[int] = field(default_factory=list[int])
    """Lines of another number of cells than the header, and empty ones."""
    complaints: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    bad_cells: int = 0

    def again(self, *, tolerant: bool, quoted: bool = True) -> _Reading:
        """The same file, from the start."""
        wanted, numbers = self.wanted, self.numbers
        made = _Reading(self.path, self.layout, wanted, numbers, self.texts, self.peaks_of)
        made.tolerant, made.quoted = tolerant, quoted
        return made

    def without_quotes(self) -> Columns:
        """A file with a quote that never ends, cell by cell: it costs its own row."""
        try:
            return self.again(tolerant=True, quoted=False).columns()
        except KeyframeError:
            raise KeyframeError(f"{self.path}:{self.open_quote}") from None

    def columns(self) -> Columns:
        """All rows that can be read.

        Raises:
            KeyframeError: none, or fewer than cannot.
            pa.ArrowInvalid: a cell that is no number, if strict.
        """
        parts: dict[str, list[Any]] = {name: [] for name in (*self.numbers, *self.texts)}
        peaks = dict.fromkeys(self.peaks_of, -np.inf)
        lines: list[NDArray[np.int64]] = []
        done = 0
        for block in self.blocks():
            at = self.lines_of(done, block.num_rows)
            done += block.num_rows
            good = np.ones(block.num_rows, bool)
            values: dict[str, Array] = {}
            for name in (*self.numbers, *self.peaks_of):
                values[name], cells_good = self.number_cells(block, name, at)
                good &= cells_good
            for name in self.peaks_of:
                peaks[name] = float(np.fmax.reduce(values[name][good], initial=peaks[name]))
            for name in self.numbers:
                parts[name].append(values[name] if good.all() else values[name][good])
            rows = np.flatnonzero(good).tolist()
            for name in self.texts:
                words = [
                    str(cell or "").strip(' "') for cell in self.cells(block, name).to_pylist()
                ]
                parts[name] += words if good.all() else [words[row] for row in rows]
            lines.append(at[good])
        if self.open_quote and self.quoted:
            return self.without_quotes()
        return self.checked(done, lines, parts, peaks)

    def checked(
        self, done: int, lines: list[Any], parts: dict[str, list[Any]], peaks: dict[str, float]
    ) -> Columns:
        kept = np.concatenate(lines) if lines else np.zeros(0, np.int64)
        lost = done - len(kept) + len(self.complaints) - self.bad_cells
        first = min(self.complaints)[1] if self.complaints else ""
        if len(kept) == 0 and not first:
            raise KeyframeError(f"{self.path}: a header without rows")
        if lost and lost >= len(kept):
            more = f" ({lost} of {lost + len(kept)} rows cannot be read)" if lost > 1 else ""
            raise KeyframeError(f"{self.path}:{first}{more}")
        note = (
            f"{self.path.name}: rows that cannot be read, left out: {lost}, first in line {first}"
        )
        return Columns(
            self.path,
            kept,
            {name: np.concatenate(parts.pop(name)) for name in self.numbers},
            {name: parts[name] for name in self.texts},
            peaks,
            (note,) if lost else (),
        )

    def blocks(self) -> Iterator[Any]:
        layout = self.layout
        typed = pa.string() if self.tolerant else pa.float64()
        shown = {f"c{column}": typed for column in self.wanted.values()}
        shown |= {f"c{self.wanted[name]}": pa.string() for name in self.texts}
        try:
            reader = pacsv.open_csv(
                str(self.path),
                pacsv.ReadOptions(
                    use_threads=False,  # only then are bad lines numbered
                    block_size=_BLOCK,
                    skip_rows=layout.skipped,
                    column_names=[f"c{column}" for column in range(len(layout.names))],
                    encoding=layout.encoding,
                ),
                pacsv.ParseOptions(
                    delimiter=layout.delimiter,
                    ignore_empty_lines=False,
                    quote_char='"' if self.quoted else False,
                    invalid_row_handler=self.skip,
                ),
                pacsv.ConvertOptions(
                    include_columns=list(shown),
                    column_types=shown,
                    null_values=list(_NOT_MEASURED),
                    decimal_point=layout.decimal_point,
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):
                raise KeyframeError(f"{self.path}: a header without rows") from None
            raise
        rows = 0
        for block in reader:
            rows += block.num_rows
            if rows > MAX_ROWS:
                raise KeyframeError(f"{self.path}: more than {MAX_ROWS} rows")
            yield block

    def skip(self, row: Any) -> str:
        line = int(row.number or 0)
        self.bad_lines.append(line)
        if row.text.strip():
            said = f"{row.actual_columns} cells; expected {row.expected_columns} as in the header"
            if row.text.count('"') % 2:
                said = "not a CSV text: a quote without its end"
                self.open_quote = f"{line}: {said}"
            self.complaints.append((line, f"{line}: {said}"))
        return "skip"

    def lines_of(self, done: int, count: int) -> NDArray[np.int64]:
        """The lines of the next rows: bad lines before them push them down."""
        at = np.arange(done, done + count, dtype=np.int64) + self.layout.skipped + 1
        for line in sorted(self.bad_lines):
            at += at >= line
        return at

    def cells(self, block: Any, name: str) -> Any:
        return block.column(block.schema.get_field_index(f"c{self.wanted[name]}"))

    def number_cells(self, block: Any, name: str, at: NDArray[np.int64]) -> tuple[Array, Rows]:
        cells = self.cells(block, name)
        if not self.tolerant:
            values = np.asarray(cells.to_numpy(zero_copy_only=False), np.float64)
            good = ~np.isinf(values)
            if not good.all():
                self.complain(name, at[~good][0], "inf", int((~good).sum()))
            return values, good
        words = pc.utf8_trim_whitespace(cells)
        if not self.quoted:
            words = pc.replace_substring_regex(words, r'^"(.*)"$', r"\1")
        if self.layout.decimal_point == ",":
            words = pc.replace_substring(words, ",", ".")
        values, good = np.full(len(words), np.nan), np.ones(len(words), bool)
        for row, word in enumerate(words.to_pylist()):
            if word is None or word in _NOT_MEASURED:
                continue
            try:
                values[row] = float(word)
            except ValueError:
                good[row] = False
            if not good[row] or np.isinf(values[row]):
                good[row] = False
                self.complain(name, at[row], word, 1)
        return values, good

    def complain(self, name: str, line: np.int64, cell: str, count: int) -> None:
        said = f"{line}: {name}: got {cell!r}; expected a number"
        self.complaints += [(int(line), said)] * count
        self.bad_cells += count

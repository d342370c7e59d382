"""How the text of a table is cut into cells: its encoding, delimiter, header, decimal point."""

from __future__ import annotations

import csv
import gzip
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from keyframes.errors import KeyframeError

_HEAD = 1 << 16
_COMMA_NUMBER = re.compile(r"(?:^|[;\t])\s*[-+]?\d+,\d+\s*(?:$|[;\t])", re.MULTILINE)
_SEPARATOR_LINE = re.compile(r"sep=(.)")


@dataclass(frozen=True)
class TextLayout:
    """How a file's text is to be cut into cells.

    Attributes:
        names: the header, stripped and in lower case.
        delimiter: between cells.
        encoding: of the text.
        skipped: lines before the first row.
        decimal_point: `.`, or `,` where the numbers are written that way.
    """

    names: tuple[str, ...]
    delimiter: str
    encoding: str
    skipped: int
    decimal_point: str


def read_head(path: Path) -> str:
    """The first 64 KiB of a file as text.

    Raises:
        KeyframeError: not readable, empty or not text.
    """
    return _decoded(path)[0]


def _opened(path: Path) -> IO[bytes]:
    packed = path.suffix.lower() == ".gz"
    return cast("IO[bytes]", gzip.open(path) if packed else path.open("rb"))


def _decoded(path: Path) -> tuple[str, str]:
    try:
        with _opened(path) as file:
            data = file.read(_HEAD)
    except (OSError, EOFError) as error:
        raise KeyframeError(f"{path}: cannot be read: {_why(error)}") from None
    if not data:
        raise KeyframeError(f"{path}: empty; expected a header and rows")
    encoding = "utf-8"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif data[1:200:2].count(0) > len(data[1:200:2]) * 0.9:
        encoding = "utf-16-le"
    try:
        # A multi-byte character may be cut at the end of what was read.
        text = io.IncrementalNewlineDecoder(None, translate=True).decode(
            data.decode(encoding) if len(data) < _HEAD else _cut(data, encoding), final=True
        )
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise KeyframeError(f"{path}:{line}: not a CSV text: {error}") from None
    return text.removeprefix("\ufeff"), encoding


def _why(error: OSError | EOFError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _cut(data: bytes, encoding: str) -> str:
    """Whole lines of a beginning; of one long line, what there is of it."""
    last = data.rfind(b"\n")
    whole = data if last < 0 else data[: last + (2 if "16" in encoding else 1)]
    return whole.decode(encoding, "ignore" if last < 0 else "strict")


def read_layout(path: Path) -> TextLayout:
    """Header, delimiter and encoding of a file.

    Raises:
        KeyframeError: not readable, no text or no header.
    """
    text, encoding = _decoded(path)
    lines = text.split("\n")
    skipped = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    delimiter = ""
    if skipped < len(lines) and (said := _SEPARATOR_LINE.fullmatch(lines[skipped].strip())):
        delimiter, skipped = said[1], skipped + 1
    if skipped >= len(lines):
        raise KeyframeError(f"{path}: empty; expected a header and rows")
    header = lines[skipped]
    if not delimiter:
        outside = re.sub(r'"[^"]*"', "", header)
        delimiter = max(",;\t", key=outside.count)
    try:
        cells = next(csv.reader([header], delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise KeyframeError(f"{path}:{skipped + 1}: not a CSV text: {error}") from None
    names = tuple(cell.strip().lower() for cell in cells)
    comma = delimiter != "," and _COMMA_NUMBER.search("\n".join(lines[skipped + 1 : -1]))
    return TextLayout(names, delimiter, encoding, skipped + 1, "," if comma else ".")


def read_header(path: Path) -> tuple[str, ...]:
    """Column names, stripped and in lower case; one may stand twice.

    Raises:
        KeyframeError: not readable, no text or no header.
    """
    return read_layout(path).names

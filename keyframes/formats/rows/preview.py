"""The beginning of a file, by which its format is recognised."""

# pyarrow ships no types: what comes out of it is checked by the annotations here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from keyframes.errors import KeyframeError
from keyframes.formats.rows.layout import read_head, read_header


@dataclass(frozen=True)
class Preview:
    """A file that is about to be recognised.

    Attributes:
        path: the file.
    """

    path: Path

    @cached_property
    def head(self) -> str:
        """The first 64 KiB as text; empty for Parquet.

        Raises:
            KeyframeError: not readable, empty or not text.
        """
        return "" if self.is_parquet else read_head(self.path)

    @property
    def is_parquet(self) -> bool:
        """Whether the suffix says so."""
        return self.path.suffix.lower() in (".parquet", ".pq")

    @cached_property
    def header(self) -> tuple[str, ...]:
        """Column names in lower case; empty for a file that has none.

        Raises:
            KeyframeError: not readable, empty or not text.
        """
        if self.is_parquet:
            return parquet_header(self.path)
        return () if self.head.lstrip()[:1] in ("{", "[") else read_header(self.path)


def parquet_header(path: Path) -> tuple[str, ...]:
    """Column names of a Parquet file, in lower case.

    Raises:
        KeyframeError: not a Parquet file.
    """
    try:
        return tuple(name.lower() for name in pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise KeyframeError(f"{path}: not a Parquet file: {reason}") from None

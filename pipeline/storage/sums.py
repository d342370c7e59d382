"""Sums over a file's bytes, and what stores say of those that they hold."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

PART_BYTES = 32 << 20
"""Of an upload in parts."""
MOST_PARTS = 10_000
"""That S3 takes."""
READ_BYTES = 1 << 20
STATED = ("ETag", "md5Hash", "md5", "content_md5")
"""Where stores say a sum of an object, if they do: an ETag need not be one."""


def part_bytes(size: int) -> int:
    """Bytes of a part, of an upload of that size."""
    return max(PART_BYTES, -(-size // MOST_PARTS))


@dataclass(frozen=True)
class Sums:
    """Sums of one file, hexadecimal.

    Attributes:
        by_parts: MD5 of its parts' MD5s and their number, as S3 tags an upload in parts.
    """

    sha256: str
    md5: str
    by_parts: str

    def proven_by(self, info: Mapping[str, Any]) -> bool:
        """Whether a store says that it holds exactly these bytes; if not, nothing is known."""
        ours = {self.md5, self.by_parts, base64.b64encode(bytes.fromhex(self.md5)).decode()}
        return any(str(info[name]).strip('"') in ours for name in STATED if info.get(name))


def sums_of(path: Path) -> Sums:
    """Reads a file once."""
    sha256, md5, parts = hashlib.sha256(), _md5(), []
    with path.open("rb") as file:
        for part in _parts(file, part_bytes(path.stat().st_size)):
            one = _md5()
            for data in part:
                for each in (sha256, md5, one):
                    each.update(data)
            parts.append(one.digest())
    whole = _md5()
    whole.update(b"".join(parts))
    return Sums(sha256.hexdigest(), md5.hexdigest(), f"{whole.hexdigest()}-{len(parts)}")


def _parts(file: BinaryIO, size: int) -> Iterator[Iterator[bytes]]:
    while first := file.read(READ_BYTES):
        yield _part(first, file, size)


def _part(first: bytes, file: BinaryIO, size: int) -> Iterator[bytes]:
    left = size - len(first)
    yield first
    while left and (data := file.read(min(READ_BYTES, left))):
        left -= len(data)
        yield data


def _md5() -> Any:
    return hashlib.md5(usedforsecurity=False)  # S3's own sum, nobody's proof against malice

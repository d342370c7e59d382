"""Which view a plate is shown through: by its tags, or as `--view` says."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from pipeline.errors import MediaError
from pipeline.media.info import VideoInfo
from pipeline.media.views.cube import cube_view
from pipeline.media.views.gamuts import BT709
from pipeline.media.views.hdr import HLG, PQ
from pipeline.media.views.logs import LOGS
from pipeline.media.views.view import View, hdr_view, log_view

BY_TAGS, AS_CODED = "auto", "none"
_BT2020 = 9
_BY_NAME = {"pq": PQ, "hlg": HLG}
NAMES = (BY_TAGS, AS_CODED, *_BY_NAME, *LOGS)
_DIGITS = 16


def checked_view(said: str) -> str:
    """What a call says of the view, looked up: a name, or a table's absolute path and hash.

    Returns:
        Text that means the same everywhere and later; "" where tags decide.
    Raises:
        MediaError: an unknown name; a table that cannot serve.
    """
    if said in NAMES:
        return "" if said == BY_TAGS else said
    path = Path(said).expanduser().absolute()
    if path.suffix.lower() != ".cube":
        raise MediaError(f"--view {said}: expected {', '.join(NAMES)} or a FILE.cube")
    known = _hash_of(path)
    _table_view(path, known)
    return f"{path}#{known}"


def named_view(said: str) -> str:
    """What is said of the view as another call finds it from anywhere; "" where tags decide."""
    if said in NAMES:
        return "" if said == BY_TAGS else said
    return str(Path(said).expanduser().absolute()) if said.lower().endswith(".cube") else said


def view_of(info: VideoInfo) -> View | None:
    """The view of a plate; None: it is a display picture already.

    Raises:
        MediaError: the table it was to be shown through is another than when the run began.
    """
    colour = info.colour
    return _view(info.view, colour.transfer, colour.full_range, is_wide=colour.primaries == _BT2020)


@lru_cache(maxsize=8)
def _view(said: str, transfer: int, full_range: bool, *, is_wide: bool) -> View | None:
    transfer = _BY_NAME.get(said, 0 if said else transfer)
    if said in LOGS:
        return log_view(said, full_range=full_range)
    if transfer in (PQ, HLG):
        return hdr_view(transfer, "bt2020" if is_wide else BT709)
    if said in ("", AS_CODED):
        return None
    path, _, known = said.rpartition("#")
    if known != _hash_of(Path(path)):
        raise MediaError(f"--view {path}: was changed while it was in use; run again")
    return _table_view(Path(path), known)


@lru_cache(maxsize=4)
def _table_view(path: Path, known: str) -> View:  # noqa: ARG001  other content is another view
    return cube_view(path)


def _hash_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGITS]
    except OSError as error:
        raise MediaError(f"--view {path}: cannot be read: {error.strerror}") from None

"""What stores and their clients complain of: one line each, in a bounded time, without a secret."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

from pipeline.errors import StorageError, UnreachableError
from pipeline.storage.urls import told

ANSWER_S = 20.0
"""How long a store may take to answer a small question; its client tries again meanwhile."""
CLIENTS = ("gcsfs", "s3fs")
"""Loggers of clients that tell tracebacks of what they raise as well."""
_TRY = re.compile(r"(?:retrying after exception|etryable\)?|etryable error): (.*)")
_ADDRESS = re.compile(r"^Forbidden: \S+ ")
_SECRET_NAMES = re.compile(r"SECRET|TOKEN|PASSWORD")
NETWORK = "check the store's address and this machine's network"
LOGIN = "check this machine's credentials for that store (docs/storage.md)"
DENIED = "these credentials may not: ask the bucket's owner, or give others (docs/storage.md)"
WAYS_OUT = (
    (r"NoSuchBucket|[Bb]ucket (\S+ )?does not exist", "check its name"),
    (r"Expired?Token|TokenRefresh|RefreshError|has expired", "log in anew, or give others"),
    (r"TimeTooSkewed", "set this machine's clock"),
    (r"Invalid Credentials|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken", LOGIN),
    (r"Credential|Profile|ConfigParse|Anonymous caller|\b401\b|Token", LOGIN),
    (r"AccessDenied|Access Denied|Forbidden|PermissionError|AllAccessDisabled|\b403\b", DENIED),
    (r"[Cc]onnect|Timeout|[Tt]imed out", NETWORK),
)
"""What a complaint holds → what mends it; the first that fits."""


class _Tries(logging.Handler):
    """Keeps what a client says of a try that failed, in place of telling it with a traceback."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if match := _TRY.search(record.getMessage()):
            self.last = match[1]


@cache
def _tries() -> _Tries:
    """The one listener, once the clients' loggers tell it alone."""
    listener = _Tries()
    for name in CLIENTS:
        logger = logging.getLogger(name)
        if not logger.handlers:  # whoever debugs a client has set one
            logger.addHandler(listener)
            logger.setLevel(logging.DEBUG)
            logger.propagate = False
    return listener


def answer(store: Any, question: str, *words: Any, **more: Any) -> Any:
    """What a store answers to a small question.

    Raises:
        TimeoutError: it does not, in a time in which people wait for it.
        Exception: as the store's client raises.
    """
    tries = _tries()
    if not getattr(store, "async_impl", False):
        return getattr(store, question)(*words, **more)
    from fsspec.asyn import sync

    tries.last = ""
    try:
        return sync(store.loop, getattr(store, f"_{question}"), *words, timeout=ANSWER_S, **more)
    except TimeoutError as error:
        said = f"{tries.last} (tried for" if tries.last else "no answer (waited for"
        raise TimeoutError(f"{said} {ANSWER_S:g} s)") from error


@contextmanager
def one_line(url: str, work: str) -> Generator[None]:
    """Whatever a store or its client complains of becomes one line.

    Raises:
        StorageError: what, where, and what may mend it.
        UnreachableError: the store gives no answer at all.
    """
    _tries()
    try:
        yield
    except (StorageError, FileExistsError):
        raise
    except FileNotFoundError as error:
        raise StorageError(_line(url, work, _absence(error), _way_out(error))) from error
    except Exception as error:  # every store has its own
        way = _way_out(error)
        is_silent = isinstance(error, TimeoutError) or way == NETWORK
        kind = UnreachableError if is_silent else StorageError
        raise kind(_line(url, work, _said(error), way)) from error


def _line(url: str, work: str, said: str, way_out: str) -> str:
    line = f"{told(url)}: cannot {work}: {told(said)}{f'; {way_out}' if way_out else ''}"
    for name, value in os.environ.items():
        if _SECRET_NAMES.search(name.upper()) and len(value) > 3:
            line = line.replace(value, "…")
    return line


def _absence(error: FileNotFoundError) -> str:
    said = str(error).strip("'\"")
    return said if "bucket" in said.lower() else "is not there"


def _said(error: Exception) -> str:
    text = " ".join(f"{error}".split()) or type(error).__name__
    return _ADDRESS.sub("", text).rstrip(".")


def _way_out(error: Exception) -> str:
    """By the error's kind, its code and its words, and by those that it comes from."""
    text, cause = "", cast(BaseException, error)
    for _ in range(9):
        text += f" {type(cause).__name__} {_code(cause)} {cause}"
        if (cause := cause.__cause__) is None:
            break
    return next((way for pattern, way in WAYS_OUT if re.search(pattern, text)), "")


def _code(error: BaseException) -> str:
    """The word that S3 has for what is wrong."""
    response: Any = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""

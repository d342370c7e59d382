"""Plain values as YAML in one line, as they may stand anywhere in a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

Value = str | int | float | bool | None | Sequence["Value"] | Mapping[str, "Value"]

_PLAIN = re.compile(r"[A-Za-z0-9_.%+-][A-Za-z0-9_.%+;:-]*(?: [A-Za-z0-9_.%+-]+)*")
_LOOKS_LIKE_MORE = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    r"|true|false|null|~|True|False|Null|NULL|TRUE|FALSE|-.*|.*: .*|.*:"
)


def flow(value: Value) -> str:
    """A value in one line, as it may stand anywhere in a file."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{word(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, str):
        return word(value)
    return json.dumps(value)


def word(text: str) -> str:
    """A text as it may stand anywhere: plain, or quoted where YAML would read more into it."""
    if _PLAIN.fullmatch(text) and not _LOOKS_LIKE_MORE.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=False)

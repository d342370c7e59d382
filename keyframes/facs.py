"""Intensities as FACS coders write them: letters A–E, `12C`, `6B+12C`.

A FACS letter is one of five intensity ranges; it stands for the label 1–5 on the scale that
LibreFace and MagicFace share (Ekman, Friesen and Hager, FACS manual, 2002, for the letters).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from keyframes.au import AU_COLUMN, AU_ORDER, CODE_COLUMNS, LID_COLUMNS, AUCode
from keyframes.errors import KeyframeError

LETTERS = {"A": 1.0, "B": 2.0, "C": 3.0, "D": 4.0, "E": 5.0}
KNOWN_AUS = ", ".join(str(number) for number in AU_ORDER)
KNOWN_CODES = f"{KNOWN_AUS}, and {', '.join(map(str, LID_COLUMNS))} for the eyes"

_CODE = re.compile(r"([LR]?)(?:AU)?\s*(\d+)\s*([LR]?)\s*([A-E]?)", re.IGNORECASE)


def parse_au(name: str) -> int:
    """The number of a measured action unit written `AU12` or `12`.

    Raises:
        KeyframeError: not an AU of the model, or one side of the face only.
    """
    code = _unlettered(name)
    if code not in AU_COLUMN:
        raise KeyframeError(f"unknown AU {code}; known: {KNOWN_AUS}")
    return int(code)


def parse_code(name: str) -> AUCode:
    """What a curve names: `AU12` or `12`, `AU43` or `AU45` for the eyes, `AU43L` for one of them.

    Raises:
        KeyframeError: none that is known, or one side of what has none.
    """
    return _known(_unlettered(name))


def _unlettered(name: str) -> AUCode:
    code, letter = _read(name) or (0, "")
    if not code or letter:
        raise KeyframeError(f"unknown AU {name!r}; known: {KNOWN_CODES}")
    return code


def _read(text: str) -> tuple[AUCode, str] | None:
    """A code and its letter, or ""; None for what is no code.

    Raises:
        KeyframeError: one side of a unit that has none.
    """
    match = _CODE.fullmatch(text.strip())
    if match is None or (match[1] and match[3]):
        return None
    side = (match[1] or match[3]).upper()
    code = f"{int(match[2])}{side}"
    if not side:
        return int(code), match[4].upper()
    if code not in CODE_COLUMNS:
        raise KeyframeError(
            f"one-sided code {text!r}: the model moves both sides of the face alike; "
            f"write it without {side} (only AU43, shut eyes, has sides)"
        )
    return code, match[4].upper()


def _known(code: AUCode) -> AUCode:
    if code not in CODE_COLUMNS:
        raise KeyframeError(f"unknown AU {code}; known: {KNOWN_CODES}")
    return code


def parse_level(text: str, au: AUCode | None = None) -> float:
    """An intensity from a FACS letter (`C`) or code (`12C`), with a sign where it is a change.

    Args:
        text: what was written.
        au: the AU the value belongs to; a code must name the same.

    Raises:
        KeyframeError: not a level, a one-sided code, or a code of another AU.
    """
    body = text.strip().upper()
    sign = -1.0 if body.startswith("-") else 1.0
    body = body.lstrip("+-")
    if body in LETTERS:
        return sign * LETTERS[body]
    code, letter = _read(body) or (0, "")
    if not letter:
        raise KeyframeError(
            f"value {text!r}; expected a number, a FACS letter A–E or a code like 12C"
        )
    if au is not None and _known(code) != au:
        raise KeyframeError(f"value {text!r} is of AU {code}; expected AU {au}")
    return sign * LETTERS[letter]


def parse_facs(text: str) -> dict[AUCode, float]:
    """A pose from FACS codes, `6B+12C`: AU number to intensity.

    Raises:
        KeyframeError: a code that is unknown, one-sided, without a letter or twice there.
    """
    pose: dict[AUCode, float] = {}
    for part in text.split("+"):
        code, letter = _read(part) or (0, "")
        if not letter:
            raise KeyframeError(f"FACS code {part.strip()!r}; expected codes like 6B+12C")
        if _known(code) in pose:
            raise KeyframeError(f"AU {code} stands twice in {text!r}")
        pose[code] = LETTERS[letter]
    return pose


def facs_code(pose: Mapping[AUCode, float]) -> str | None:
    """A pose as FACS codes, `6B+12C`; None where a value is no letter's."""
    letters = {level: letter for letter, level in LETTERS.items()}
    if not pose or any(value not in letters for value in pose.values()):
        return None
    return "+".join(f"{au}{letters[value]}" for au, value in pose.items())

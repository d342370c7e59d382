"""Intensities as FACS coders write them: letters A–E, `12C`, `6B+12C`.

A FACS letter is one of five intensity ranges; it stands for the label 1–5 on the scale that
LibreFace and MagicFace share (Ekman, Friesen and Hager, FACS manual, 2002, for the letters).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from keyframes.au import AU_COLUMN, AU_ORDER
from keyframes.errors import KeyframeError

LETTERS = {"A": 1.0, "B": 2.0, "C": 3.0, "D": 4.0, "E": 5.0}
KNOWN_AUS = ", ".join(str(number) for number in AU_ORDER)

_CODE = re.compile(r"([LR]?)(?:AU)?\s*(\d+)\s*([A-E])?", re.IGNORECASE)


def parse_au(name: str) -> int:
    """The number of an action unit written `AU12` or `12`.

    Raises:
        KeyframeError: not an AU of the model, or one side of the face only.
    """
    match = _CODE.fullmatch(name.strip())
    if match is None or match.group(3):
        raise KeyframeError(f"unknown AU {name!r}; known: {KNOWN_AUS}")
    side, number, _ = match.groups()
    _refuse_side(side, name)
    return _known_au(int(number))


def _refuse_side(side: str, code: str) -> None:
    if side:
        raise KeyframeError(
            f"one-sided code {code!r}: the model moves both sides of the face alike; "
            f"write it without {side}"
        )


def _known_au(number: int) -> int:
    if number not in AU_COLUMN:
        raise KeyframeError(f"unknown AU {number}; known: {KNOWN_AUS}")
    return number


def parse_level(text: str, au: int | None = None) -> float:
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
    match = _CODE.fullmatch(body)
    if match is None or match.group(3) is None:
        raise KeyframeError(
            f"value {text!r}; expected a number, a FACS letter A–E or a code like 12C"
        )
    side, number, letter = match.groups()
    _refuse_side(side, text)
    if au is not None and _known_au(int(number)) != au:
        raise KeyframeError(f"value {text!r} is of AU {number}; expected AU {au}")
    return sign * LETTERS[letter]


def parse_facs(text: str) -> dict[int, float]:
    """A pose from FACS codes, `6B+12C`: AU number to intensity.

    Raises:
        KeyframeError: a code that is unknown, one-sided, without a letter or twice there.
    """
    pose: dict[int, float] = {}
    for code in text.split("+"):
        match = _CODE.fullmatch(code.strip())
        if match is None or match.group(3) is None:
            raise KeyframeError(f"FACS code {code.strip()!r}; expected codes like 6B+12C")
        side, number, letter = match.groups()
        _refuse_side(side, code.strip())
        if _known_au(int(number)) in pose:
            raise KeyframeError(f"AU {number} stands twice in {text!r}")
        pose[int(number)] = LETTERS[letter.upper()]
    return pose


def facs_code(pose: Mapping[int, float]) -> str | None:
    """A pose as FACS codes, `6B+12C`; None where a value is no letter's."""
    letters = {level: letter for letter, level in LETTERS.items()}
    if not pose or any(value not in letters for value in pose.values()):
        return None
    return "+".join(f"{au}{letters[value]}" for au, value in pose.items())

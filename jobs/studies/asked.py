"""Units and levels as people write them: `1,4,12`, `all`; `A..E`, `C`, `B,D`."""

from __future__ import annotations

from jobs.errors import JobError
from keyframes.au import AU_ORDER
from pipeline.studies.design import LETTERS


def read_units(text: str, option: str = "--aus") -> tuple[int, ...]:
    """Unit numbers, each once, in the order they are said.

    Raises:
        JobError: one that is no unit of the project.
    """
    if text.strip().lower() == "all":
        return AU_ORDER
    found: list[int] = []
    for word in _words(text, option):
        number = word.upper().removeprefix("AU")
        if not number.isdigit() or int(number) not in AU_ORDER:
            known = ", ".join(map(str, AU_ORDER))
            raise JobError(f"{option} {text}: no unit {word}; known: {known}, or all")
        found.append(int(number))
    return tuple(dict.fromkeys(found))


def read_combined_units(text: str, option: str = "--aus") -> list[tuple[int, ...]]:
    """Units, alone and together: `1,4` and `6+12`.

    Raises:
        JobError: as `read_units`.
    """
    if text.strip().lower() == "all":
        return [(au,) for au in AU_ORDER]
    return [read_units(word.replace("+", ","), option) for word in _words(text, option)]


def read_levels(text: str, option: str = "--levels") -> tuple[int, ...]:
    """Levels 1…5, each once, in the order they are said.

    Raises:
        JobError: not a letter A–E, a number 1–5, or a range of either.
    """
    found: list[int] = []
    for word in _words(text, option):
        first, dots, last = word.partition("..")
        low = _level(first, text, option)
        high = _level(last, text, option) if dots else low
        if high < low:
            raise JobError(f"{option} {text}: {word} runs backwards; expected {last}..{first}")
        found += range(low, high + 1)
    return tuple(dict.fromkeys(found))


def _level(word: str, text: str, option: str) -> int:
    letter = word.strip().upper()
    if len(letter) == 1 and letter in LETTERS:
        return LETTERS.index(letter) + 1
    if letter in ("1", "2", "3", "4", "5"):
        return int(letter)
    raise JobError(
        f"{option} {text}: got {word!r}; expected A, B, C, D, E (1 to 5), or a range such as A..E"
    )


def _words(text: str, option: str) -> list[str]:
    words = [word for word in text.replace(",", " ").split() if word]
    if not words:
        raise JobError(f"{option}: got nothing; expected at least one")
    return words

"""What is known of an estimator and an editor from drawn people, whose expressions are exact.

The packaged figures are those of docs/evaluation.md, written by docs/evaluation/ground_truth.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

FILE = "known_gains.json"
BLIND = 0.2
"""Of a drawn unit: an estimator that reads less can't say whether a unit was made."""


@dataclass(frozen=True)
class Gain:
    """Shares of what was drawn or asked, means over people; None where it was not measured.

    Attributes:
        read: of a drawn unit, what the estimator reads.
        made_read: of a unit that the editor was asked for, what the estimator reads.
        made_moved: the same by geometry.
    """

    read: float | None = None
    made_read: float | None = None
    made_moved: float | None = None

    @property
    def is_blind(self) -> bool:
        return self.read is not None and self.read < BLIND


UNKNOWN = Gain()


def known_leaks(estimator: str, asked: Mapping[int, float]) -> dict[int, float]:
    """Unit → the change that an estimator reads in it of drawn faces which show what is asked.

    Only each unit's largest leak is known (docs/evaluation.md), in proportion to its intensity.

    Args:
        asked: unit → change asked for; only increases leak as it was measured.
    """
    told = _known()
    leaks: dict[int, float] = {}
    for au, amount in asked.items():
        for into, at_level in told["leaks"].get(estimator, {}).get(f"AU{au}", {}).items():
            number = int(into.removeprefix("AU"))
            change = max(amount, 0.0) * at_level / told["level"]
            leaks[number] = leaks.get(number, 0.0) + change
    return leaks


def known_gain(estimator: str, editor: str, au: int) -> Gain:
    """What is known of one unit; all None for engines that were not measured."""
    told = _known()
    read = told["read"].get(estimator, {})
    made = told["made"].get(editor, {}).get(estimator, {})
    name = f"AU{au}"
    return Gain(read.get(name), made.get("read", {}).get(name), made.get("moved", {}).get(name))


@cache
def _known() -> dict[str, Any]:
    return json.loads((resources.files("pipeline.quality") / FILE).read_text("utf-8"))

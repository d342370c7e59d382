"""docs/curves.md: every example runs, and every picture shows the text beside it."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyframes.au import AUIntensity
from keyframes.clock.timeline import even_timeline
from keyframes.load import inspect_sheet, known_presets
from keyframes.sheet_file.read_import import IMPORT_FIELDS
from keyframes.sheet_file.read_keys import CHANNEL_FIELDS
from keyframes.sheet_file.read_sheet import SHEET_FIELDS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "curves.md"
TEXT = PAGE.read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```\n\n!\[\]\((.*?)\)", TEXT, re.DOTALL)


def test_the_page_teaches_in_ten_examples() -> None:
    assert len(EXAMPLES) == 10
    assert TEXT.count("```yaml") == 10
    assert sum(file.stat().st_size for file in (PAGE.parent / "curves").iterdir()) < 600_000


@pytest.mark.parametrize("number", range(10))
def test_an_example_runs_and_its_picture_is_of_the_same_curve(number: int) -> None:
    text, picture = EXAMPLES[number]
    sheet, problems = inspect_sheet(text, f"example {number + 1}", folder=PAGE.parent)
    assert not problems
    assert sheet is not None
    timeline = even_timeline(6.0, Fraction(30))
    measured = AUIntensity(np.full((180, 12), 2.0, np.float32))
    evaluation = sheet.evaluate(timeline, measured)
    assert evaluation.delta.active.any()
    assert not evaluation.warnings or "import:" in text
    drawn = (PAGE.parent / picture).read_text("utf-8")
    assert sheet.digest in drawn, "draw it again: python docs/curves/make_plots.py"


def test_the_reference_names_every_key() -> None:
    table = TEXT[TEXT.index("## Reference") :]
    named = set(re.findall(r"`([a-z_]+)`", table))
    for field in {*SHEET_FIELDS, *CHANNEL_FIELDS, *IMPORT_FIELDS} - {"layers", "not_in_model"}:
        assert field in named, field


def test_presets_the_page_uses_are_there() -> None:
    for preset in re.findall(r"use: (\w+)", TEXT):
        assert preset in known_presets()

"""Draws the picture of every example in docs/curves.md: python docs/curves/make_plots.py"""

from __future__ import annotations

import re
import sys
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from keyframes.clock.timeline import even_timeline  # noqa: E402
from keyframes.load import parse_sheet  # noqa: E402
from pipeline.figures.curves import plot_sheet  # noqa: E402

PAGE = HERE.parent / "curves.md"


def examples() -> list[str]:
    """The curve files of the page, in order."""
    return re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def main() -> None:
    """Write 01.svg, 02.svg, …"""
    timeline = even_timeline(6.0, Fraction(30))
    for number, text in enumerate(examples(), 1):
        sheet = parse_sheet(text, f"example {number}", folder=PAGE.parent)
        evaluation = plot_sheet(HERE / f"{number:02}.svg", sheet, timeline)
        print(f"{number:02}.svg", *evaluation.warnings, sep="\n  ")


if __name__ == "__main__":
    main()

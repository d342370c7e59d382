"""How well each action unit is read and made, on drawn heads whose expressions are known.

python docs/evaluation/ground_truth.py [PEOPLE]    prints the table of docs/evaluation.md
--keep also writes pipeline/quality/known_gains.json, which verdicts quote

Read: each unit alone at 3 is drawn, and the estimator's change is divided by 3. Made: the preview
editor is asked for 3 on the drawn face at rest; what the estimator reads of it, and what moved by
geometry, again divided by 3. Leak: the largest change read in a unit that was not drawn.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from engines.editors.previz.editor import PrevizEditor
from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AU_DESCRIPTIONS, AU_NAMES, AU_ORDER
from pipeline.quality.known import LEVEL, Known, known_on

GAINS = Path(__file__).resolve().parents[2] / "pipeline/quality/known_gains.json"


def main(people: int, *, is_kept: bool) -> None:
    """Measures and prints."""
    known = known_on(range(people), MeshTracker(), MeshAUEstimator(), PrevizEditor())
    print("| AU | | read | leak | made, read | made, moved |\n|---|---|---|---|---|---|")
    for column, au in enumerate(AU_ORDER):
        row = (known.read, known.made_read, known.made_moved)
        read, made, moved = (f"{values[column]:.2f}" for values in row)
        leak = known.leak[column]
        who = f"AU{known.leak_into[column]} {leak:+.1f}".replace("-", "−")
        name = AU_DESCRIPTIONS[au]
        print(f"| {au} | {name} | {read} | {who} | {made} | {moved} |")
    if is_kept:
        _keep(known, people)
    print(f"{people} people; points {known.points:.3f} of the outer-eye distance off on average")


def _keep(known: Known, people: int) -> None:
    read, made, moved = (
        dict(zip(AU_NAMES, (round(float(v), 2) for v in values), strict=True))
        for values in (known.read, known.made_read, known.made_moved)
    )
    leaks = {
        name: {f"AU{into}": round(float(leak), 1)}
        for name, into, leak in zip(AU_NAMES, known.leak_into, known.leak, strict=True)
    }
    told = {
        "people": people,
        "level": LEVEL,
        "read": {"mesh": read},
        "leaks": {"mesh": leaks},
        "made": {"previz": {"mesh": {"read": made, "moved": moved}}},
    }
    GAINS.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    counts = [int(word) for word in sys.argv[1:] if word.isdigit()]
    main(counts[0] if counts else 6, is_kept="--keep" in sys.argv)

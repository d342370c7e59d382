"""Measure faces and action units in footage: one table, a row per frame and face.

python jobs/analyse.py --input clip.mp4 --output table.parquet
python jobs/analyse.py --input shots/ --output table.csv
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App, Parameter

from jobs.cluster import be_quiet
from jobs.command import main_of

be_quiet()
app = App(name="analyse.py", help=__doc__, help_format="plaintext", version_flags=())


@app.default
def analyse(
    *,
    inputs: Annotated[tuple[str, ...], Parameter("--input", consume_multiple=True, negative=())],
    output: Path,
    tracker: str = "auto",
    au: str = "auto",
    au_weights: str | None = None,
    work: str | None = None,
    report: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Measure faces and action units.

    Parameters
    ----------
    inputs
        Files, folders or globs.
    output
        The table: .parquet or .csv. Several inputs go into one table (column `video`).
    tracker
        auto, mesh or fan.
    au
        auto, mesh or libreface.
    au_weights
        LibreFace's checkpoint, combined_resnet.pt.
    work
        Folder for resumable state. Without: `_work` beside the table.
    report
        Also write a report.json here.
    overwrite
        Replace a table that exists.
    """
    from jobs.measurement import MeasureOptions, run_measurement

    return run_measurement(
        MeasureOptions(inputs, output, tracker, au, au_weights, work, report, overwrite)
    )


if __name__ == "__main__":
    main_of(app)

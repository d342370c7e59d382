"""Measure faces and action units in footage: a table, a row per frame (or field) and face.

python jobs/analyse.py --input clip.mp4 --output table.parquet
python jobs/analyse.py --input shots/ --output table.csv
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App

from jobs.command_line.command import main_of
from jobs.command_line.options.analyse import MeasureOptions
from jobs.command_line.options.given import takes
from jobs.ray_cluster.cluster import be_quiet

be_quiet()
app = App(name="analyse", help=__doc__, help_format="plaintext", version_flags=())


@app.default
@takes(MeasureOptions)
def analyse(*, options: MeasureOptions) -> int:
    """Measure faces and action units; options: jobs/command_line/options/analyse.py."""
    from jobs.animation.measurement import run_measurement

    return run_measurement(options)


if __name__ == "__main__":
    main_of(app)

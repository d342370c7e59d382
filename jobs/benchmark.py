"""Measure aureel against its own floor, both sides in one run; prints JSON.

python jobs/benchmark.py pipeline [--input clip.mp4]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App

from jobs.cluster import be_quiet
from jobs.command import main_of

be_quiet()
app = App(name="benchmark.py", help=__doc__, help_format="plaintext", version_flags=())


@app.command
def pipeline(*, input: Path | None = None, rounds: int = 3) -> int:  # noqa: A002 - the option's name
    """Render and finish with `identity` against one plain loop; analysis; previz against real time.

    Parameters
    ----------
    input
        A clip. Without: a 20 s demo clip of 500 frames, rendered as two segments of 250.
    rounds
        Times both sides are run, in turn; medians are printed.
    """
    from jobs.benchmark_pipeline import measure_pipeline

    print(json.dumps(measure_pipeline(input, rounds), indent=1))
    return 0


if __name__ == "__main__":
    main_of(app)

"""Measure aureel against its own floor, both sides in one run; prints JSON.

python jobs/benchmark.py pipeline [--input clip.mp4]
python jobs/benchmark.py memory
python jobs/benchmark.py curves
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


@app.command
def memory() -> int:
    """Peak memory of a previz job on a clip, and on one six times as long."""
    from jobs.benchmark_memory import measure_memory

    print(json.dumps(measure_memory(), indent=1))
    return 0


@app.command
def curves(*, rounds: int = 5) -> int:
    """Bake 12 channels of 1,000 keys over an hour at 60 fps, on one core.

    Parameters
    ----------
    rounds
        Times it is baked; the median is printed.
    """
    from jobs.benchmark_curves import measure_curves

    print(json.dumps(measure_curves(rounds), indent=1))
    return 0


if __name__ == "__main__":
    main_of(app)

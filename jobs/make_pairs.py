"""Cut pairs of one face with two expressions out of footage, for training MagicFace.

python jobs/make_pairs.py --input footage/ --output PAIRS --provenance footage.yaml
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App

from jobs.command_line.command import main_of
from jobs.command_line.options.given import takes
from jobs.ray_cluster.cluster import be_quiet
from jobs.training.pair_options import PairOptions

be_quiet()
app = App(name="make-pairs", help=__doc__, help_format="plaintext", version_flags=())


@app.default
@takes(PairOptions)
def make_pairs(*, options: PairOptions) -> int:
    """Cut pairs; the options are described in jobs/training/pair_options.py."""
    from jobs.training.making import run_making

    return run_making(options)


if __name__ == "__main__":
    main_of(app)

"""Train or fine-tune MagicFace on pairs of one's own footage.

python jobs/train.py --pairs PAIRS --output RUN --init sd15 --dtype bf16 --checkpointing
python jobs/train.py --pairs PAIRS --output RUN --init WEIGHTS --parts lora --steps 2000
python jobs/train.py --pairs PAIRS --output RUN --init tiny --steps 20
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
from jobs.training.options import TrainOptions

be_quiet()
app = App(name="train", help=__doc__, help_format="plaintext", version_flags=())


@app.default
@takes(TrainOptions)
def train(*, options: TrainOptions) -> int:
    """Train MagicFace; the options are described in jobs/training/options.py."""
    from jobs.training.training import run_training

    return run_training(options)


if __name__ == "__main__":
    main_of(app)

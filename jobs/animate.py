"""Change the performance in footage by a curve over facial action units.

python jobs/animate.py --curve smile.yaml
python jobs/animate.py --curve smile.yaml --input shots/ --output out/
python jobs/animate.py --manifest jobs.csv --output out/
ray job submit -- python jobs/animate.py --curve smile.yaml --input /footage/a.mp4
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App

from jobs.command_line.command import main_of
from jobs.command_line.options.animate import AnimateOptions
from jobs.command_line.options.given import takes
from jobs.ray_cluster.cluster import be_quiet

be_quiet()
app = App(name="animate", help=__doc__, help_format="plaintext", version_flags=())
NOTHING_SAID = AnimateOptions()


@app.default
@takes(AnimateOptions)
def animate(*, options: AnimateOptions = NOTHING_SAID) -> int:
    """Change the performance in footage; options: jobs/command_line/options/animate.py."""
    from jobs.animation.animation import run_animation

    return run_animation(options)


if __name__ == "__main__":
    main_of(app)

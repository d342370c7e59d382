"""Show every face of every shot, with its number, times and picture, for curves to address.

python jobs/faces.py clip.mp4
python jobs/faces.py day1/ --output faces/ --curve smile.yaml
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App

from jobs.command_line.command import main_of
from jobs.command_line.options.faces import FacesOptions
from jobs.command_line.options.given import takes
from jobs.ray_cluster.cluster import be_quiet

be_quiet()
app = App(name="faces", help=__doc__, help_format="plaintext", version_flags=())
NOTHING_SAID = FacesOptions()


@app.default
@takes(FacesOptions)
def faces(*clips: str, options: FacesOptions = NOTHING_SAID) -> int:
    """Show the faces of footage.

    Args:
        clips: Files, folders or globs.
        options: jobs/command_line/options/faces.py describes them.
    """
    from jobs.animation.lineup import run_lineup

    return run_lineup(clips, options)


if __name__ == "__main__":
    main_of(app)

"""Every command of aureel under one name: `aureel animate …` is `python jobs/animate.py …`.

aureel doctor                                 what this machine can do, and what to do next
aureel animate --curve smile.yaml --input shot.mp4
aureel --install-completion                   names and options by the Tab key, in your shell
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import NoReturn

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App

from jobs.command_line.command import main_of
from jobs.ray_cluster.cluster import be_quiet

COMMANDS = {
    "animate": "Change the performance in footage by a curve.",
    "analyse": "Measure faces and action units into a table.",
    "faces": "Show every face of every shot, for curves to address.",
    "curve": "Check, draw, bake and convert curves.",
    "verify": "Say what of one file another one holds.",
    "evaluate": "Judge an edited shot: how true is the edit?",
    "stimuli": "Make stimuli for research: units at set levels and times.",
    "make-pairs": "Cut pairs of footage for training MagicFace.",
    "train": "Train or fine-tune MagicFace on pairs of footage.",
    "doctor": "Say what this machine can do, and what to do next.",
    "build-engines": "Build MagicFace's TensorRT plans.",
    "benchmark": "Measure aureel against its own floor.",
    "chaos": "Break runs on purpose and compare what they publish.",
}
"""Command → what it does, in a line; its `app` is in the module of that name in jobs/, which is
imported only when the command is called."""


def version() -> str:
    """The installed version; a checkout that is not installed has none."""
    try:
        return metadata.version("aureel")
    except metadata.PackageNotFoundError:
        return "not installed; a checkout"


be_quiet()
app = App(name="aureel", help=__doc__, help_format="plaintext", version=version)
for name, told in COMMANDS.items():
    app.command(f"jobs.{name.replace('-', '_')}:app", name=name, help=told)
app.register_install_completion_command()  # pyright: ignore[reportUnknownMemberType]


def main() -> NoReturn:
    """The console command."""
    main_of(app)


if __name__ == "__main__":
    main()

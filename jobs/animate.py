"""Change the performance in footage by a curve over facial action units.

python jobs/animate.py --curve smile.yaml
python jobs/animate.py --curve smile.yaml --input shots/ --output out/
ray job submit -- python jobs/animate.py --curve smile.yaml --input /footage/a.mp4
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
from jobs.options import AnimateOptions, EditorOptions, Preset

be_quiet()
NO_EDITOR_OPTIONS = EditorOptions()
app = App(name="animate.py", help=__doc__, help_format="plaintext", version_flags=())


@app.default
def animate(
    *,
    curve: str,
    inputs: Annotated[
        tuple[str, ...], Parameter("--input", consume_multiple=True, negative=())
    ] = (),
    output: str | None = None,
    engine: str = "auto",
    tracker: str = "auto",
    au: str = "auto",
    au_weights: str | None = None,
    work: str | None = None,
    report: str | None = None,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    preset_encode: Preset = "auto",
    plot: bool | None = None,
    seed: int = 424,
    editor: Annotated[EditorOptions, Parameter("*")] = NO_EDITOR_OPTIONS,
) -> int:
    """Change the performance in footage.

    Parameters
    ----------
    curve
        A curve file, or the name of a preset (smile, sad, surprise, …).
    inputs
        Files, folders or globs. Without any: those of the curve file, else a demo clip made here.
    output
        A file (one input) or a folder. Without: beside each input, as <name>.<curve>.<ext>.
    engine
        auto, previz, identity or magicface. auto takes magicface where its weights and a GPU are.
    tracker
        auto, mesh or fan. auto takes fan where its weights and a GPU are.
    au
        auto, mesh or libreface: what measures action units.
    au_weights
        LibreFace's checkpoint, combined_resnet.pt.
    work
        Folder for resumable state. Without: `_work` beside the outputs.
    report
        Where report.json goes. Without: beside the (first) output.
    overwrite
        Replace outputs that exist.
    dry_run
        Check everything and say what would be done; write nothing.
    preset_encode
        Encoder effort. auto takes veryfast for a preview, else medium.
    plot
        Also write a plot of the AU curves and a contact sheet beside each output (demo: on).
    seed
        Seed of the editor's noise.
    """
    from jobs.animation import run_animation

    options = AnimateOptions(
        curve=curve,
        inputs=inputs,
        output=output,
        engine=engine,
        tracker=tracker,
        au=au,
        au_weights=au_weights,
        work=work,
        report=report,
        overwrite=overwrite,
        dry_run=dry_run,
        preset_encode=preset_encode,
        plot=plot,
        seed=seed,
        editor=editor,
    )
    return run_animation(options)


if __name__ == "__main__":
    main_of(app)

"""What edits of held-out people are worth, by weights and by the way they are made.

    python -m engines.editors.magicface.training.compare --pairs PAIRS \\
        --weights RUN/step-00005000 STUDENT/step-00001000 --ways unipc:8:3 ddim:4:1

A line for each: scheduler, steps, guidance, passes of the denoiser per frame, gain ± its standard
error, share that goes the right way, share that ends nearer to the target than to the source. The
noise is the same in every line. So a student is compared with its teacher, at the same steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

from engines.devices.torch_device import resolve_device
from engines.editors.magicface.folders import read_config
from engines.editors.magicface.training.examples.cache import cached_latents
from engines.editors.magicface.training.examples.latents import Latents
from engines.editors.magicface.training.examples.pairs import Pairs, open_pairs
from engines.editors.magicface.training.progress.edits import Edits, Ways, measure_edits
from engines.editors.magicface.training.start import Start, find_start
from engines.editors.magicface.training.work import picture_size
from engines.editors.magicface.traits import GUIDANCE_MAX
from engines.errors import EngineError

app = App(help=__doc__)


@app.default
def main(
    pairs: Path,
    weights: Annotated[tuple[Path, ...], Parameter(consume_multiple=1, negative=())],
    ways: Annotated[tuple[str, ...], Parameter(consume_multiple=1, negative=())] = ("unipc:8:3",),
    most: int = 64,
    without_provenance: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Edit held-out people with each of the weights in each of the ways.

    Args:
        pairs: folder of make-pairs.
        weights: checkpoints of training; latents are kept beside them.
        ways: SCHEDULER:STEPS:GUIDANCE.
        most: pairs that are edited, spread over all that are held out.
    """
    asked = [way_of(word) for word in ways]
    for folder in weights:
        start = find_start(str(folder), None, folder)
        size = picture_size(start)
        given = open_pairs(pairs, size=size, need_provenance=not without_provenance)
        _check_known(given)
        device = str(resolve_device("auto"))
        latents = cached_latents(given, start.folders, folder.absolute().parent, device, 0, 1)
        for way in asked:
            made = worth(start, latents, way, device, most)
            Console(soft_wrap=True).print(told(folder.name, way, made))


def way_of(word: str) -> Ways:
    """`ddim:4:1` → DDIM, 4 steps, guidance 1.

    Raises:
        EngineError: it is none.
    """
    try:
        scheduler, steps, guidance = word.split(":")
        way = Ways(scheduler, int(steps), float(guidance))
    except ValueError:
        raise EngineError(
            f"--ways {word}: expected SCHEDULER:STEPS:GUIDANCE, e.g. unipc:8:3"
        ) from None
    if not 0 <= way.guidance <= GUIDANCE_MAX:
        raise EngineError(
            f"--ways {word}: got guidance {way.guidance:g}; expected 0…{GUIDANCE_MAX:g}"
        )
    return way


def _check_known(pairs: Pairs) -> None:
    if int((pairs.held_out & pairs.same_view).sum()) < 2:
        raise EngineError(
            f"{pairs.folder}: no held-out pairs with a known change; expected two at least: "
            "make-pairs --synthetic warp heads"
        )


def worth(start: Start, latents: Latents, way: Ways, device: str, most: int) -> Edits | None:
    """Of one set of weights, made in one way; None where nothing was asked of the pairs."""
    network = start.trainee("linear+time").to(device).eval()
    schedule = read_config(start.folders.scheduler, "scheduler_config.json")
    return measure_edits(network, latents, schedule, device, way, most)


def told(name: str, way: Ways, made: Edits | None) -> str:
    """A line."""
    if made is None:
        return f"{name}: no change is asked of any held-out pair"
    passes = way.steps * (1 if way.guidance <= 1 else 2)
    return (
        f"{name} {way.scheduler} {way.steps} steps guidance {way.guidance:g} ({passes} passes): "
        f"gain {made.gain:.3f} ± {made.gain_error:.3f}, right way {made.right_sign:.0%}, nearer "
        f"the target {made.nearer:.0%}, of {made.pairs}"
    )


if __name__ == "__main__":
    app()

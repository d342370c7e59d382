"""Measure aureel against its own floor, both sides in one run; prints JSON.

python jobs/benchmark.py pipeline [--input clip.mp4]
python jobs/benchmark.py memory
python jobs/benchmark.py curves
python jobs/benchmark.py magicface --random-weights
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App, Parameter

from engines import registry
from jobs.cluster import be_quiet
from jobs.command import main_of
from jobs.errors import JobError

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


Several = Annotated[tuple[int, ...], Parameter(consume_multiple=True, negative=())]
Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=())]


@app.command
def magicface(
    *,
    random_weights: Annotated[bool, Parameter(negative=())] = False,
    weights: str = "",
    base: str | None = None,
    steps: Several = (),
    batch: Several = (),
    dtype: Names = (),
    mode: Names = (),
    device: str = "auto",
    repeats: int = 2,
    official: bool = True,
) -> int:
    """MagicFace computed the official way, and ours: ms per frame, TFLOP/s, memory; in one run.

    Parameters
    ----------
    random_weights
        The full-size network with random weights (the default without --weights).
    weights
        A weights folder instead.
    base
        SD 1.5's parts, where not beside --weights.
    steps
        Denoising steps. Default: 50 on a GPU, 2 on a CPU.
    batch
        Frames at once. Default: 1 and 8 on a GPU, 1 on a CPU.
    dtype
        Of ours: fp32, fp16, bf16. Default: all on a GPU, fp32 on a CPU.
    mode
        Of ours: eager, graphs, compile. Default: all on a GPU, eager on a CPU.
    device
        auto, cpu, cuda.
    repeats
        Timed runs of each; the best counts.
    official
        Also time the official way (speed-ups need it).
    """
    if random_weights and weights:
        raise JobError(f"--random-weights and --weights {weights}: give one of them")
    if missing := registry.missing("editor", "magicface"):
        raise JobError(f"benchmark magicface: {missing}")
    from engines.magicface.benchmark import run

    measured = run(
        weights=weights,
        base=base,
        steps=steps,
        batch=batch,
        dtype=dtype,
        mode=mode,
        device=device,
        repeats=repeats,
        official=official,
        on_row=lambda row: print(row, file=sys.stderr),
    )
    print(json.dumps(measured, indent=1))
    return 0


if __name__ == "__main__":
    main_of(app)

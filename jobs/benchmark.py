"""Measure aureel against its own floor, both sides in one run; prints JSON.

python jobs/benchmark.py pipeline [--input clip.mp4]
python jobs/benchmark.py stages --input clip.mov
python jobs/benchmark.py preview
python jobs/benchmark.py memory
python jobs/benchmark.py curves
python jobs/benchmark.py busy
python jobs/benchmark.py scale --gpus 1,8 --videos 64 [--nodes 4 --cores 16 --analysis-share 0.1]
python jobs/benchmark.py schedule --gpus 8,32,256 --videos 200
python jobs/benchmark.py long --minutes 30
python jobs/benchmark.py evaluation
python jobs/benchmark.py magicface --random-weights
python jobs/benchmark.py magicface --random-weights --backend auto
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App, Parameter

from engines import registry
from jobs.command_line.command import main_of
from jobs.errors import JobError
from jobs.ray_cluster.cluster import be_quiet

be_quiet()
app = App(name="benchmark", help=__doc__, help_format="plaintext", version_flags=())


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
    from jobs.benchmarks.pipeline import measure_pipeline

    print(json.dumps(measure_pipeline(input, rounds), indent=1))
    return 0


@app.command
def stages(*, input: Path, editor: str = "previz", matte: str | None = None) -> int:  # noqa: A002
    """Every stage of a job over one clip, in this process: ms per frame, peak memory.

    Parameters
    ----------
    input
        A clip of any size.
    editor
        What changes the faces.
    matte
        Also write elements of this kind: prores, ffv1, png, exr.
    """
    from jobs.benchmarks.stages import measure_stages

    print(json.dumps(measure_stages(input, editor, matte), indent=1))
    return 0


@app.command
def preview(*, input: Path | None = None, rounds: int = 5) -> int:  # noqa: A002 - the option's name
    """Show a second curve on a frame that is open already, with previz, on one core.

    Parameters
    ----------
    input
        A clip. Without: 4 s of the demo clip (512²).
    rounds
        Times four curves are shown in turn; medians are printed.
    """
    from jobs.benchmarks.preview import measure_preview

    print(json.dumps(measure_preview(input, rounds), indent=1))
    return 0


@app.command
def editors(*, input: Path | None = None, rounds: int = 5) -> int:  # noqa: A002 - the option's name
    """Previz and plate on the same crops, in turn, on one core; and the shot's library.

    Parameters
    ----------
    input
        A clip. Without: 15 s of the demo clip.
    rounds
        Times each is run; medians are printed.
    """
    from jobs.benchmarks.editors import measure_editors

    print(json.dumps(measure_editors(input, rounds), indent=1))
    return 0


@app.command
def memory() -> int:
    """Peak memory of a previz job on a clip, and on one six times as long."""
    from jobs.benchmarks.memory import measure_memory

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
    from jobs.benchmarks.curves import measure_curves

    print(json.dumps(measure_curves(rounds), indent=1))
    return 0


@app.command
def busy(*, frames: int = 120) -> int:
    """MagicFace's editor around networks that sleep like an H100: share of the time they are busy.

    Parameters
    ----------
    frames
        Edited at each of two speeds: 20 steps and 4.
    """
    if missing := registry.missing("editor", "magicface"):
        raise JobError(f"benchmark busy: {missing}")
    from jobs.benchmarks.busy import measure_busy

    print(json.dumps(measure_busy(frames), indent=1))
    return 0


@app.command
def scale(
    *,
    gpus: str = "1,4",
    videos: int = 40,
    seconds_per_segment: float = 2.0,
    clip_seconds: float = 0.4,
    side: int = 96,
    analysis_share: float | None = None,
    nodes: int = 1,
    cores: int | None = None,
    lengths: str = "1",
    cut: bool = False,
) -> int:
    """Many clips on pretended GPUs, whose editor sleeps: share of the ideal, idle GPUs, driver.

    Parameters
    ----------
    gpus
        How many, in one job after the other.
    videos
        Clips in each job, a segment each.
    seconds_per_segment
        That the editor sleeps for a clip of length 1.
    clip_seconds
        Of a clip of length 1; this machine's cores decode and encode them all.
    side
        Of its square frames, pixels.
    analysis_share
        Of a segment's seconds: a core is held for so long instead of finding faces, which are
        recalled. Without: faces are found in every clip.
    nodes
        Raylets, which share GPUs and cores.
    cores
        That Ray is told of; with recalled faces, analysis only sleeps. Without: this machine's.
    lengths
        Of the clips in turn: 1,2,4,8 mixes them; the single clip has the first.
    cut
        Clips are cut as a job cuts them; ten seconds on eight GPUs:
        --gpus 8 --videos 1 --clip-seconds 10 --seconds-per-segment 80 --cut.
    """
    from jobs.benchmarks.scaling.scale import measure_scale

    counts = [int(each) for each in gpus.split(",")]
    job = videos, seconds_per_segment, clip_seconds, side
    how: dict[str, Any] = {"analysis_share": analysis_share, "nodes": nodes, "cores": cores}
    how |= {"lengths": [int(each) for each in lengths.split(",")], "cut": cut}
    told = [measure_scale(n, *job, **how) for n in counts]
    print(json.dumps({"cores": len(os.sched_getaffinity(0)), "jobs": told}, indent=1))
    return 0


@app.command
def schedule(
    *,
    gpus: str = "8,32,256",
    videos: int = 200,
    frames: int = 50,
    seconds: float = 2.0,
    lengths: str = "1,2,4",
    cut: bool = True,
    analysis_share: float = 0.1,
    gpus_per_node: int = 8,
    cores_per_gpu: float = 4.0,
    speeds: str = "1",
    start_seconds: float = 20.0,
) -> int:
    """What the graph makes of a cluster of any size: its own code on a virtual clock, no process.

    Parameters
    ----------
    gpus
        How many, in one job after the other.
    videos
        Clips in each job.
    frames, seconds
        Of a clip of length 1, and how long a GPU of speed 1 edits it.
    lengths
        Of the clips in turn: 1,2,4 mixes them.
    cut
        Clips are cut as a job cuts them; with --no-cut each is a segment.
    analysis_share
        Of a segment's seconds, that a core takes to find its faces.
    gpus_per_node, cores_per_gpu
        Of each node; its actors keep a core each, or half of its cores together.
    speeds
        Of the nodes' GPUs in turn: 1,2 is a cluster of two models.
    start_seconds
        From an actor's place on a GPU to its first row.
    """
    from jobs.benchmarks.scaling.schedule import Shape, measure_schedule, nodes_of

    each = seconds / frames
    counts = [int(length) for length in lengths.split(",")]
    clips = tuple(frames * counts[number % len(counts)] for number in range(videos))
    shape = Shape(clips, each, each * analysis_share, cut)
    speed = [float(each) for each in speeds.split(",")]
    told = [
        measure_schedule(
            shape, nodes_of(int(n), gpus_per_node, cores_per_gpu, speed), start_seconds
        )
        for n in gpus.split(",")
    ]
    print(json.dumps({"jobs": told}, indent=1))
    return 0


@app.command
def long(*, minutes: float = 30.0) -> int:
    """An edit of five seconds in ten, and in a long clip of the same packets, H.264 and ProRes.

    Parameters
    ----------
    minutes
        Of the long clip: two hours take 3 GB beside the output.
    """
    from jobs.benchmarks.long import measure_long

    print(json.dumps(measure_long(minutes), indent=1))
    return 0


@app.command
def evaluation(*, seconds: float = 6.0) -> int:
    """Judge a preview's smile on the demo clip (512²) and on one six times as long, on one core.

    Parameters
    ----------
    seconds
        Of the shorter clip.
    """
    from jobs.benchmarks.evaluation import measure_evaluation

    print(json.dumps(measure_evaluation(seconds), indent=1))
    return 0


Several = Annotated[tuple[int, ...], Parameter(consume_multiple=1, negative=())]
Names = Annotated[tuple[str, ...], Parameter(consume_multiple=1, negative=())]


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
    backend: Names = (),
    network: Literal["full", "small"] = "full",
    device: str = "auto",
    repeats: int = 2,
    official: bool = True,
) -> int:
    """MagicFace computed the official way, and ours: ms per frame, TFLOP/s, memory; in one run.

    With --backend: ours on each of the backends beside eager and compile, with ratios; what cannot
    run here is listed with its reason. Engines and graphs that the store lacks are built first.

    Args:
        random_weights: The full-size network with random weights (the default without --weights).
            With --backend they are kept in aureel's cache folder (3.6 GB), so that their engines
            are found again.
        weights: A weights folder instead.
        base: SD 1.5's parts, where not beside --weights.
        steps: Denoising steps. Default: 50 on a GPU, 2 on a CPU.
        batch: Frames at once. Default: 1 and 8 on a GPU, 1 on a CPU; with --backend 1, 4 and 8.
        dtype: Of ours: fp32, fp16, bf16. Default: all on a GPU (--backend: fp16), fp32 on a CPU.
        mode: Of ours: eager, graphs, compile. Default: all on a GPU, eager on a CPU.
        backend: auto (all), or of eager, compile, onnxruntime, tensorrt, tensorrt-rtx.
        network: Of the random weights: full, or small (33 M parameters, 128 px).
        device: auto, cpu, cuda.
        repeats: Timed runs of each; the best counts.
        official: Also time the official way (speed-ups need it); not with --backend.
    """
    if weights and (random_weights or network != "full"):
        other = "--random-weights" if random_weights else f"--network {network}"
        raise JobError(f"{other} and --weights {weights}: give one of them")
    if backend and mode:
        raise JobError("--backend and --mode: give one of them")
    if missing := registry.missing("editor", "magicface"):
        raise JobError(f"benchmark magicface: {missing}")
    from jobs.benchmarks.magicface import measure_backends, measure_modes

    asked: dict[str, Any] = {"weights": weights, "base": base, "steps": steps, "batch": batch}
    asked |= {"dtype": dtype, "device": device, "repeats": repeats}
    if backend:
        measured = measure_backends(backend, network, asked)
    else:
        measured = measure_modes(mode, network, official, asked)
    print(json.dumps(measured, indent=1))
    return 0


if __name__ == "__main__":
    main_of(app)

"""What `jobs/train.py` does: everything checked here, then workers of Ray Train."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rich.console import Console

from jobs.command_line.outputs import refuse_working_copy
from jobs.command_line.places import check_folder_place
from jobs.command_line.progress import console
from jobs.errors import JobError
from jobs.ray_cluster import cluster
from jobs.training.options import TrainOptions
from pipeline.files import write_json
from pipeline.run_folder import lease

if TYPE_CHECKING:
    from engines.editors.magicface.training.work import Order

PROGRESS = "progress.jsonl"
LOOK_S = 1.0
RAY_FOLDER = "ray"


def run_training(options: TrainOptions) -> int:
    """Trains to the last step; exit status 0.

    Raises:
        JobError, EngineError: the call is wrong, memory is too small, or training failed; what was
            saved stays.
        BusyError: another run writes there.
    """
    from engines.editors.magicface.training.work import Order, check_room, looked_at

    output = options.output.expanduser().absolute()
    refuse_working_copy(output)
    check_folder_place(output, "--output")
    order = Order(
        options.pairs.expanduser().absolute(),
        _as_seen_by_workers(options.init),
        options.base and _as_seen_by_workers(options.base),
        output,
        options.recipe(),
        not options.without_provenance,
        workers=options.workers,
    )
    order.recipe.places_of(0, options.workers)
    start, pairs = looked_at(order)
    gpus = cluster.gpus()
    if gpus and gpus < options.workers:
        raise JobError(f"--workers {options.workers}: there are {gpus:g} GPUs; expected no more")
    if not gpus:
        order = replace(order, beside=options.workers)
        check_room(order, start)
    screen = console()
    held = int(pairs.held_out.sum())
    screen.print(
        f"{len(pairs)} pairs, {held} of them of held-out people; AUs by {pairs.facts.au_by}"
    )
    with lease.Run(uuid4().hex[:12], output) as run:
        run.claim(output / PROGRESS)
        cluster.start()
        with _shown(output / PROGRESS, screen):
            last = _fit(order, options, use_gpu=gpus > 0)
    screen.print(f"weights: {last}")
    return 0


def _as_seen_by_workers(named: str) -> str:
    """Workers have another working folder."""
    path = Path(named).expanduser()
    return str(path.absolute()) if path.is_dir() else named


def _fit(order: Order, options: TrainOptions, *, use_gpu: bool) -> str:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    told = order.output / RAY_FOLDER / "told.json"
    shutil.rmtree(told.parent, ignore_errors=True)  # of a run that was killed: ours knows the way
    ray: Any = import_module("ray")
    cpus = max(1, int(ray.cluster_resources().get("CPU", 1)) // options.workers)
    trainer = TorchTrainer(
        _work,
        train_loop_config={"order": order, "told": str(told)},
        scaling_config=ScalingConfig(
            num_workers=options.workers,
            use_gpu=use_gpu,
            resources_per_worker={"GPU": 1} if use_gpu else {"CPU": cpus},
        ),
        torch_config=TorchConfig(backend="nccl" if use_gpu else "gloo"),
        run_config=RunConfig(
            storage_path=str(order.output / RAY_FOLDER),
            name="run",
            failure_config=FailureConfig(max_failures=options.max_failures),
        ),
    )
    try:
        trainer.fit()
        said: dict[str, str] = json.loads(told.read_text(encoding="utf-8"))
    except Exception as error:  # Ray raises its own, with a traceback of a worker in the text
        raise JobError(f"training failed: {_reason(error)}") from error
    finally:
        shutil.rmtree(order.output / RAY_FOLDER, ignore_errors=True)  # our checkpoints lie beside
    if "refused" in said:
        raise JobError(said["refused"])
    return said["weights"]


def _reason(error: BaseException) -> str:
    """The last line of a worker's error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _work(config: dict[str, Any]) -> None:
    """Runs in each worker. A refusal is a result: trying again would give the same."""
    from ray import train as ray_train

    from engines.editors.magicface.training.work import train_as_asked
    from engines.errors import EngineError

    try:
        told = {"weights": str(train_as_asked(config["order"]))}
    except EngineError as error:
        told = {"refused": str(error)}
    if ray_train.get_context().get_world_rank() == 0:  # Ray keeps no metrics without a checkpoint
        write_json(Path(config["told"]), told)


@contextmanager
def _shown(path: Path, screen: Console) -> Generator[None]:
    """Prints what is added to a progress file while open."""
    done = threading.Event()
    at = path.stat().st_size if path.is_file() else 0

    def look() -> None:
        nonlocal at
        if not path.is_file():
            return
        at = min(at, path.stat().st_size)  # a resumed run has cut it
        with path.open("rb") as file:
            file.seek(at)
            for line in file:
                if line.endswith(b"\n"):
                    at += len(line)
                    screen.print(_told(json.loads(line)))

    def watch() -> None:
        while not done.wait(LOOK_S):
            look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        look()


def _told(line: dict[str, Any]) -> str:
    made = line.get("edits")
    if made is not None:
        return (
            f"step {line['step']}: {made['pairs']} edits of held-out people: gain "
            f"{made['gain']:.2f} ± {made['gain_error']:.2f}, right way {made['right_sign']:.0%}, "
            f"nearer the target than the source {made['nearer']:.0%}"
        )
    held = line.get("held_out")
    if held is None:
        return f"step {line['step']}: loss {line['loss']:.4f}"
    return (
        f"step {line['step']}: held-out loss {held['true']:.4f}, without AUs {held['zero']:.4f}, "
        f"with others' {held['shuffled']:.4f} (gap {held['gap']:.4f} ± {held['gap_error']:.4f})"
    )

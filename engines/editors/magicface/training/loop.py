"""The training loop: step by step, alone or as one of several workers of torch.distributed.

It starts no process and no process group; whoever calls it does (jobs on Ray Train, a test).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from engines.editors.magicface.folders import WeightFolders
from engines.editors.magicface.training.examples.draws import Draws, condition, draw
from engines.editors.magicface.training.examples.latents import Batch, Latents
from engines.editors.magicface.training.network.averages import Averages, holding, learning
from engines.editors.magicface.training.network.optimiser import gather_states, make_optimiser
from engines.editors.magicface.training.network.trainee import Trainee
from engines.editors.magicface.training.objectives.distil import guided, on_grid, two_steps
from engines.editors.magicface.training.objectives.loss import (
    Question,
    held_out_losses,
    question,
    squared_errors,
)
from engines.editors.magicface.training.recipe import Recipe
from engines.editors.magicface.training.saved import checkpoints
from engines.editors.magicface.training.saved.run_folder import Facts, checkpoint_name
from engines.editors.magicface.training.saved.run_folder import checkpoints as written_checkpoints
from engines.errors import EngineError

PROGRESS = "progress.jsonl"
Say = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Run:
    """What a run is given.

    Attributes:
        recipe, latents: what to train on, and how.
        signal: ᾱ, `(1000,)`.
        folder: of checkpoints and progress.jsonl.
        base: folders that checkpoints link to; None = none.
        provenance: of the pairs; goes into every checkpoint.
        device: of this worker.
        look: called at every checkpoint with the network in its averaged weights and the path of a
            sheet; what it gives is a line of progress.
        say: called with each line of progress on the first worker.
    """

    recipe: Recipe
    latents: Latents
    signal: Tensor
    folder: Path
    base: WeightFolders | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    look: Callable[[Trainee, Path], dict[str, Any]] | None = None
    say: Say = lambda _line: None


def worker() -> tuple[int, int]:
    """This process' number and how many there are; (0, 1) alone."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def train(trainee: Trainee, run: Run) -> Path:
    """Train from the last checkpoint in the run's folder, or from the start; the last checkpoint.

    Every worker calls it with the same trainee. With gloo or NCCL gradients are averaged; the
    numbers are those of one worker that adds up the same passes.

    Raises:
        EngineError: a recipe that cannot be shared out, a checkpoint of something else, a loss or
            gradient that is not finite (the step is named, the last checkpoint is kept).
    """
    return _Loop(trainee, run).run_to_the_end()


class _Loop:
    """The state of one worker."""

    def __init__(self, trainee: Trainee, run: Run) -> None:
        self.run, self.recipe = run, run.recipe
        self.rank, self.workers = worker()
        self.passes = self.recipe.places_of(self.rank, self.workers)
        self.teacher = _frozen(trainee).to(run.device) if self.recipe.distils else None
        trainee.open(self.recipe)
        self.trainee = trainee.to(run.device)
        self.signal = run.signal.to(run.device)
        self.rows = run.latents.rows(held_out=False)
        learners = learning(trainee).values()
        self.optimiser = make_optimiser(self.recipe, learners, self.workers)
        averaging = self.recipe.ema > 0 and self.rank == 0
        self.averages = Averages(trainee, self.recipe.ema) if averaging else None
        self.done = self._resume()
        self.network: nn.Module = self.trainee
        if self.workers > 1:
            self.network = DistributedDataParallel(self.trainee, gradient_as_bucket_view=True)

    def _resume(self) -> int:
        recipe, latents = self.recipe, self.run.latents
        return checkpoints.resume(
            self.run.folder, self.trainee, self.optimiser, self.averages, recipe, latents.digest
        )

    def run_to_the_end(self) -> Path:
        if self.rank == 0:
            checkpoints.clear_unfinished(self.run.folder)
        self._cut_progress()
        if self.done == 0 and self.rank == 0:
            self._evaluate()
        while self.done < self.recipe.steps:
            loss, norm = self._step(self.done)
            self.done += 1
            self._after_step(loss, norm)
        return self.run.folder / checkpoint_name(self.done)

    def _step(self, step: int) -> tuple[float, float]:
        """One optimiser step; the batch's mean loss and the gradient's norm."""
        rate = self.recipe.rate_at(step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        losses = [self._backward(step, number) for number in range(len(self.passes))]
        loss = self._mean(torch.stack(losses).mean())
        norm = nn.utils.clip_grad_norm_(learning(self.trainee).values(), self.recipe.clip)
        self._check_finite(step, loss, float(norm))
        self.optimiser.step()
        if self.averages:
            self.averages.update(self.trainee)
        return loss, float(norm)

    def _backward(self, step: int, number: int) -> Tensor:
        places = self.passes[number]
        draws = draw(self.recipe, step, places, len(self.rows), self.run.latents.shape)
        batch = self.run.latents.take(self.rows[draws.rows], self.run.device)
        scaled = batch.target * self.run.latents.scaling_factor
        batch = Batch(batch.source, scaled, batch.background, batch.au)
        timesteps, noise = draws.timesteps.to(batch.au.device), draws.noise.to(batch.au.device)
        if self.recipe.distil_steps:
            timesteps = on_grid(timesteps, self.recipe.distil_steps)
        asked = question(batch, batch.au, timesteps, noise, self.signal)
        with self._gathering(number):
            with self._autocast():
                loss = self._errors(asked, draws, noise).mean()
            (loss / len(self.passes)).backward()
        return loss.detach()

    def _errors(self, asked: Question, draws: Draws, noise: Tensor) -> Tensor:
        if self.teacher is None:
            shown = condition(asked.au, draws, self.recipe.zero_noise)
            return squared_errors(asked.under(shown).put_to(self.network), noise)
        guidance, steps = self.recipe.distil_guidance, self.recipe.distil_steps
        wanted = (
            two_steps(self.teacher, asked, guidance, steps, self.signal)
            if steps
            else guided(self.teacher, asked, guidance)
        )
        return squared_errors(asked.put_to(self.network), wanted)

    def _gathering(self, number: int) -> AbstractContextManager[Any]:
        """Workers exchange gradients in the last pass only."""
        if isinstance(self.network, DistributedDataParallel) and number + 1 < len(self.passes):
            return self.network.no_sync()
        return nullcontext()

    def _autocast(self) -> AbstractContextManager[Any]:
        kind = torch.device(self.run.device).type
        return torch.autocast(kind, torch.bfloat16, enabled=self.recipe.dtype == "bf16")

    def _mean(self, value: Tensor) -> float:
        if self.workers > 1:
            distributed.all_reduce(value)
            value = value / self.workers
        return float(value)

    def _check_finite(self, step: int, loss: float, norm: float) -> None:
        """All workers see the same numbers here, and stop together."""
        if not (loss - loss == 0.0 and norm - norm == 0.0):
            there = written_checkpoints(self.run.folder)
            kept = f"the weights of {there[-1].name} are kept" if there else "nothing was saved yet"
            raise EngineError(
                f"training: step {step + 1}: loss {loss:g}, gradient norm {norm:g}; expected finite"
                f" numbers; {kept} in {self.run.folder}: try a lower lr, a warm-up, or dtype fp32"
            )

    def _after_step(self, loss: float, norm: float) -> None:
        last = self.done == self.recipe.steps
        saves = self.done % self.recipe.save_every == 0 or last
        if saves:
            gather_states(self.optimiser)
        if self.rank:
            return
        if self.done % self.recipe.log_every == 0 or last:
            rate = self.recipe.rate_at(self.done - 1)
            self._tell({"step": self.done, "loss": loss, "grad_norm": norm, "lr": rate})
        if self.done % self.recipe.evaluate_every == 0 or last:
            self._evaluate()
        if saves:
            self._save()

    def _save(self) -> None:
        """The checkpoint comes last: what a kill takes before it is done again."""
        run = self.run
        if run.look:
            with holding(self.trainee, self.averages.values if self.averages else {}):
                seen = run.look(self.trainee, run.folder / f"sheet-{self.done:08d}.png")
            if seen:
                self._tell({"step": self.done, **seen})
        facts = Facts(self.done, asdict(self.recipe), run.latents.digest, run.provenance)
        checkpoints.save(run.folder, self.trainee, self.optimiser, self.averages, facts, run.base)
        checkpoints.forget_old(run.folder, self.recipe.keep)

    def _evaluate(self) -> None:
        """On held-out pairs, with the weights that would be saved now."""
        run, averages = self.run, self.averages.values if self.averages else {}
        with holding(self.trainee, averages), self._autocast():
            held = held_out_losses(
                self.trainee, run.latents, self.signal, run.device, self.recipe.micro
            )
        if held:
            self._tell({"step": self.done, "held_out": asdict(held)})

    def _tell(self, line: dict[str, Any]) -> None:
        self.run.folder.mkdir(parents=True, exist_ok=True)
        with (self.run.folder / PROGRESS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.run.say(line)

    def _cut_progress(self) -> None:
        """Lines of steps that a killed run did after its last checkpoint: they are done again."""
        path = self.run.folder / PROGRESS
        if self.rank or not path.is_file():
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if _step_of(line) <= self.done and self.done]
        path.write_text("".join(kept), encoding="utf-8")


def _frozen(trainee: Trainee) -> Trainee:
    """A copy that learns no more: the teacher is where the student begins."""
    return copy.deepcopy(trainee).requires_grad_(False).eval()


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):  # a line that a kill cut short
        return float("inf")

"""What is learnt from drawn latents, measured through the editor's own sampler."""

from __future__ import annotations

import json
import multiprocessing
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import distributed

from engines.editors.magicface.training.loop import PROGRESS, train
from engines.editors.magicface.training.network.averages import holding
from engines.editors.magicface.training.network.trainee import Trainee
from engines.editors.magicface.training.recipe import Recipe
from engines.editors.magicface.training.saved import run_folder
from tests.engines.editors.magicface.training import drawn
from tests.engines.editors.magicface.training.drawn import a_run, drawn_latents, gains, trainee

QUICK = Recipe(
    steps=50,
    batch=32,
    micro=32,
    lr=6e-3,
    warmup=30,
    schedule="cosine",
    beta2=0.99,
    ema=0.98,
    evaluate_every=1000,
    save_every=1000,
    log_every=1000,
)
PROOF = replace(QUICK, steps=160, batch=48, micro=48, lr=4e-3)


def learnt(
    folder: Path, recipe: Recipe, *, shuffled: bool = False, start: Trainee | None = None
) -> tuple[Trainee, dict]:
    """The averaged weights after a run, and the last losses on held-out people."""
    network = trainee()
    if start is not None:
        network.load_state_dict(start.state_dict())
    saved = train(network, a_run(folder, recipe, drawn_latents(shuffled=shuffled)))
    state = torch.load(saved / "resume.pt", weights_only=True)
    with holding(network, state["averages"]):
        copy = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.load_state_dict(copy)
    last = (folder / PROGRESS).read_text().splitlines()[-1]
    return network, json.loads(last)["held_out"]


def test_training_learns_every_aus_own_change_with_its_sign(tmp_path, monkeypatch):
    """A sign error anywhere between the pairs and the sampler's result fails it; the control, with
    AUs of other pairs, says that what is seen comes of the AUs."""
    monkeypatch.setattr(drawn, "BUMPS", 2 * drawn.BUMPS)
    network, held = learnt(tmp_path, QUICK)
    assert held["gap"] > 3 * held["gap_error"], held
    found = gains(network, 3.0, people_at_once=3)
    assert (found > 0).all(), found
    assert found.mean() > 0.2, found
    control, held = learnt(tmp_path / "shuffled", QUICK, shuffled=True)
    assert held["gap"] < 2 * held["gap_error"], held
    assert gains(control, 3.0, people_at_once=3).mean().abs() < 0.25 * found.mean()


@pytest.mark.slow
def test_guidance_strengthens_what_was_learnt_can_be_distilled_and_needs_true_aus(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(drawn, "BUMPS", 1.5 * drawn.BUMPS)
    network, held = learnt(tmp_path / "true", PROOF)
    assert held["gap"] > 4 * held["gap_error"], held
    plain, guided = gains(network, 1.0), gains(network, 3.0)
    assert (plain > 0.15).all(), plain
    assert guided.mean() > 2 * plain.mean(), (plain, guided)
    distil = replace(PROOF, steps=80, lr=2e-3, warmup=10, ema=0.9, distil_guidance=3.0)
    student, _ = learnt(tmp_path / "student", distil, start=network)
    alone = gains(student, 1.0, steps=4)
    assert alone.mean() > 1.8 * gains(network, 1.0, steps=4).mean(), alone
    assert float((alone - guided).norm() / guided.norm()) < 0.4, (alone, guided)
    control, _ = learnt(tmp_path / "shuffled", replace(PROOF, steps=100), shuffled=True)
    assert gains(control, 1.0).abs().mean() < 0.05


SHARED = replace(
    QUICK,
    steps=3,
    batch=8,
    micro=4,
    lr=1e-3,
    schedule="constant",
    evaluate_every=1,
    save_every=2,
    log_every=1,
)


@pytest.mark.parametrize(
    ("optimiser", "sharded"),
    [
        ("adamw", False),
        pytest.param("adamw", True, marks=pytest.mark.slow),
        pytest.param("adamw8", True, marks=pytest.mark.slow),
    ],
)
def test_two_workers_train_what_one_trains_with_the_same_passes(
    tmp_path, monkeypatch, optimiser, sharded
):
    """Resumed once, and whether or not they share out the optimiser's states."""
    monkeypatch.setattr(drawn, "CHANNELS", 16)
    recipe = replace(SHARED, optimiser=optimiser)
    alone = train(trainee(), a_run(tmp_path / "alone", recipe, drawn_latents(16, 4)))
    forked = multiprocessing.get_context("fork")  # torch is here already: imports cost seconds
    both = [
        forked.Process(target=_worker, args=(rank, tmp_path, replace(recipe, shard_states=sharded)))
        for rank in range(2)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(240)
    assert [process.exitcode for process in both] == [0, 0]
    shared = run_folder.checkpoints(tmp_path / "run")[-1]
    one, two = (torch.load(f / "resume.pt", weights_only=True) for f in (alone, shared))
    for part in ("parameters", "averages"):
        odd = [n for n, value in one[part].items() if not torch.equal(value, two[part][n])]
        assert odd == []
    for number, state in one["optimiser"]["state"].items():
        other = two["optimiser"]["state"][number]
        assert [n for n, value in state.items() if not torch.equal(value, other[n])] == []
    assert (tmp_path / "run" / PROGRESS).read_text() == (tmp_path / "alone" / PROGRESS).read_text()


def _worker(rank: int, folder: Path, recipe: Recipe) -> None:
    """One of two; trains two steps and then, from what was saved, the third."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", DeprecationWarning)  # torch.distributed.optim is full of them
    store = distributed.FileStore(str(folder / "store"), 2)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    for steps in (2, 3):
        latents = drawn_latents(16, 4)
        train(trainee(), a_run(folder / "run", replace(recipe, steps=steps), latents))
        distributed.barrier()  # until the first has saved
    distributed.destroy_process_group()

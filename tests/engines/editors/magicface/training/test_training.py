"""Training on drawn latents: what is learnt, what is saved, and that runs are exact."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engines.editors.magicface import checkpoint
from engines.editors.magicface.checkpoint import load_denoiser_unet, load_id_unet
from engines.editors.magicface.model.unet import (
    DenoiserUNet,
    IDEncoderUNet,
    IDFeatures,
    IDProjection,
)
from engines.editors.magicface.training.examples.draws import condition, draw
from engines.editors.magicface.training.examples.latents import Latents
from engines.editors.magicface.training.loop import PROGRESS, Run, train
from engines.editors.magicface.training.network.au_encoders import denoiser_from
from engines.editors.magicface.training.network.averages import Averages, learning
from engines.editors.magicface.training.network.trainee import Trainee
from engines.editors.magicface.training.recipe import AU_ENCODERS, Recipe
from engines.editors.magicface.training.saved import run_folder
from engines.editors.magicface.training.start import load_unets
from engines.errors import EngineError
from tests.engines.editors.magicface.training import drawn
from tests.engines.editors.magicface.training.drawn import (
    PROMPT,
    a_run,
    config,
    drawn_latents,
    start_unets,
    trainee,
)

FEW = Recipe(
    steps=2,
    batch=4,
    micro=4,
    lr=1e-3,
    ema=0.9,
    save_every=1,
    evaluate_every=2,
    log_every=1,
    schedule="cosine",
    warmup=2,
)


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    monkeypatch.setattr(drawn, "CHANNELS", 16)


@pytest.fixture(scope="module")
def latents() -> Latents:
    return drawn_latents(16, 4)


@pytest.fixture(scope="module")
def whole(latents, tmp_path_factory) -> Path:
    """The last checkpoint of a run by `FEW`, which several tests look at."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in every test beside it
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawn, "CHANNELS", 16)
        saved = train(trainee(), a_run(tmp_path_factory.mktemp("whole"), FEW, latents))
    torch.set_num_threads(threads)
    return saved


def said(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / PROGRESS).read_text().splitlines()]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        f"{part}/{name}": tensor
        for part in ("ID_enc", "denoising_unet")
        for name, tensor in checkpoint.read_tensors(folder / part).items()
    }


def assert_equal(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_a_killed_run_goes_on_as_if_it_had_not_been(latents, whole, tmp_path):
    # A run is killed by taking away what came after its checkpoint.
    killed = a_run(tmp_path / "killed", FEW, latents)
    shutil.copytree(whole.parent, killed.folder)
    last = run_folder.checkpoints(killed.folder)[-1]
    for file in sorted(last.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
    last.rmdir()
    (killed.folder / ".unfinished-abc").mkdir()  # it was killed while it saved
    (killed.folder / ".unfinished-abc/resume.pt").write_bytes(b"half")
    again = train(trainee(), killed)
    assert [p.name for p in killed.folder.glob(".*")] == []
    assert_equal(weights(again), weights(whole))
    assert said(killed.folder) == said(whole.parent)
    state = [torch.load(f / "resume.pt", weights_only=True) for f in (again, whole)]
    assert_equal(*(s["parameters"] for s in state))
    assert_equal(*(s["averages"] for s in state))


def test_a_run_does_not_go_on_with_another_recipe_or_other_pairs(latents, tmp_path):
    train(trainee(), a_run(tmp_path, replace(FEW, steps=1), latents))
    with pytest.raises(EngineError, match=r"lr 0.002, was 0.001; steps 2, was 1"):
        train(trainee(), a_run(tmp_path, replace(FEW, lr=2e-3), latents))
    with pytest.raises(EngineError, match="pairs or their VAE"):
        train(trainee(), a_run(tmp_path, replace(FEW, steps=1), replace(latents, digest="x")))


def test_a_kill_between_looking_and_saving_leaves_no_checkpoint_without_its_sheet(
    latents, tmp_path
):
    class Killed(BaseException):
        pass

    def run(name: str, *, killed: bool) -> Run:
        def look(_network, sheet: Path) -> dict:
            if killed and sheet.name == "sheet-00000002.png":
                raise Killed
            sheet.write_bytes(b"a sheet")
            return {"edits": sheet.name}

        return a_run(tmp_path / name, FEW, latents, look=look)

    train(trainee(), run("whole", killed=False))
    with pytest.raises(Killed):
        train(trainee(), run("killed", killed=True))
    train(trainee(), run("killed", killed=False))
    assert said(tmp_path / "killed") == said(tmp_path / "whole")
    assert len([*(tmp_path / "killed").glob("sheet-*")]) == 2


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"PK\x03\x04 cut short"])
def test_a_damaged_checkpoint_is_named_in_a_line(content, latents, whole, tmp_path):
    shutil.copytree(whole.parent, tmp_path / "run")
    (tmp_path / "run" / whole.name / "resume.pt").write_bytes(content)
    with pytest.raises(EngineError, match=r"resume.pt: not readable: \S") as refused:
        train(trainee(), a_run(tmp_path / "run", FEW, latents))
    assert "\n" not in str(refused.value)


def test_the_editors_networks_load_a_checkpoint_and_compute_what_training_computed(
    latents, tmp_path
):
    learner = trainee()
    saved = train(learner, a_run(tmp_path, replace(FEW, steps=1, ema=0.0), latents))
    denoiser = DenoiserUNet(load_denoiser_unet(saved / "denoising_unet"), PROMPT)
    features = IDFeatures(load_id_unet(saved / "ID_enc"), PROMPT)
    encoder = IDEncoderUNet(features, IDProjection(denoiser))
    batch = latents.take(latents.rows(held_out=True), "cpu")
    timestep = torch.tensor(500)
    with torch.no_grad():
        theirs = denoiser(batch.target, batch.background, timestep, batch.au, encoder(batch.source))
        ours = learner(batch.target, batch.background, timestep, batch.au, batch.source)
    assert torch.equal(theirs, ours)


def test_what_is_saved_for_use_is_the_average(whole):
    state = torch.load(whole / "resume.pt", weights_only=True)
    name = "denoiser.unet.conv_in.weight"
    tensor = weights(whole)["denoising_unet/conv_in.weight"]
    assert torch.equal(tensor, state["averages"][name])
    assert not torch.equal(tensor, state["parameters"][name])


@pytest.mark.parametrize(
    ("au_encoder", "au_dropout"), [*((name, 0.1) for name in AU_ENCODERS), ("linear+time", 0.0)]
)
def test_the_papers_ablations_train_and_load_back(au_encoder, au_dropout, latents, tmp_path):
    """Tables III and IV."""
    id_unet, denoiser = start_unets()
    made = denoiser_from(config(8), denoiser.state_dict(), au_encoder, tmp_path)
    learner = Trainee(id_unet, made, PROMPT)
    recipe = replace(FEW, steps=2, ema=0.0, au_encoder=au_encoder, au_dropout=au_dropout)
    saved = train(learner, a_run(tmp_path, recipe, latents))
    again = Trainee(*load_unets(saved / "ID_enc", saved / "denoising_unet", au_encoder), PROMPT)
    batch = latents.take(latents.rows(held_out=True), "cpu")
    given = (batch.target, batch.background, torch.tensor(500), batch.au, batch.source)
    with torch.no_grad():
        assert torch.equal(again(*given), learner(*given))
    if au_encoder == "zero-append+time":
        layer = weights(saved)["denoising_unet/au_aug_mlp.weight"]
        assert torch.equal(layer, torch.eye(*layer.shape))


@pytest.mark.parametrize("parts", ["last-layers", "lora"])
def test_fine_tuning_changes_what_it_names_and_nothing_else(parts, latents, tmp_path):
    saved = train(trainee(), a_run(tmp_path, replace(FEW, steps=2, parts=parts, rank=4), latents))
    before = trainee().official_state()
    after = weights(saved)
    changed = {
        name
        for name, tensor in after.items()
        if not torch.equal(
            tensor,
            before[name.partition("/")[0]][
                name.partition("/")[2].replace("au_aug_mlp.", "class_embedding.")
            ],
        )
    }
    assert "denoising_unet/au_aug_mlp.weight" in changed
    wanted = (".attn",) if parts == "lora" else ("/up_blocks.", "/conv_out", "/conv_norm_out")
    others = {n for n in changed if "au_aug_mlp" not in n and not any(w in n for w in wanted)}
    assert others == set()
    assert any(n.startswith("ID_enc") for n in changed) == (parts == "lora")
    assert len(changed) > 10
    load_denoiser_unet(saved / "denoising_unet")


@pytest.mark.slow
def test_checkpointed_activations_give_the_same_weights(latents, whole, tmp_path):
    spared = train(trainee(), a_run(tmp_path, replace(FEW, checkpointing=True), latents))
    assert_equal(weights(whole), weights(spared))


@pytest.mark.slow
def test_bf16_keeps_weights_in_fp32_and_stays_close(latents, whole, tmp_path):
    short = replace(FEW, dtype="bf16", steps=1)
    half = train(trainee(), a_run(tmp_path, short, latents))
    state = torch.load(half / "resume.pt", weights_only=True)
    assert {p.dtype for p in state["parameters"].values()} == {torch.float32}
    first = [run[1]["loss"] for run in map(said, (whole.parent, half.parent))]
    assert first[0] != first[1]
    assert first[0] == pytest.approx(first[1], rel=0.02)


def test_a_loss_that_is_not_finite_names_its_step_and_keeps_the_last_checkpoint(latents, tmp_path):
    broken = latents.target.copy()
    run = a_run(tmp_path, replace(FEW, batch=2, micro=2), replace(latents, target=broken))
    broken[draw(run.recipe, 1, [0], 16, latents.shape).rows] = float("nan")  # first met in step 2
    with pytest.raises(EngineError, match=r"step 2: loss nan.*step-00000001 are kept"):
        train(trainee(), run)
    assert [f.name for f in run_folder.checkpoints(tmp_path)] == ["step-00000001"]
    assert [p.name for p in tmp_path.glob(".*")] == []


def test_progress_tells_losses_under_true_no_and_shuffled_aus(whole):
    lines = said(whole.parent)
    assert [line["step"] for line in lines if "loss" in line] == [1, 2]
    held = [line["held_out"] for line in lines if "held_out" in line]
    assert len(held) == 2  # before the first step too
    for of in held:
        assert of["pairs"] == 4
        assert of["gap"] == pytest.approx(of["shuffled"] - of["true"], abs=1e-6)
    assert len({of["true"] for of in held}) == 2


def test_only_the_last_checkpoints_can_be_gone_on_from(latents, tmp_path):
    train(trainee(), a_run(tmp_path, replace(FEW, keep=1), latents))
    there = run_folder.checkpoints(tmp_path)
    assert [(f / "resume.pt").is_file() for f in there] == [False, True]
    assert all((f / "ID_enc").is_dir() for f in there)


def test_a_step_draws_the_same_whoever_computes_it():
    recipe = replace(FEW, batch=4)
    whole = draw(recipe, 3, range(4), 10, (4, 2, 2))
    halves = [draw(recipe, 3, places, 10, (4, 2, 2)) for places in (range(2), range(2, 4))]
    assert torch.equal(whole.noise, torch.cat([h.noise for h in halves]))
    assert whole.rows.tolist() == [row for h in halves for row in h.rows]
    assert not torch.equal(whole.noise, draw(recipe, 4, range(4), 10, (4, 2, 2)).noise)


def test_every_pair_comes_once_per_epoch_and_in_another_order_in_the_next():
    recipe = replace(FEW, batch=5)
    rows = [r for step in range(4) for r in draw(recipe, step, range(5), 10, (4, 1, 1)).rows]
    assert sorted(rows[:10]) == sorted(rows[10:]) == list(range(10))
    assert rows[:10] != rows[10:]


def test_dropped_aus_are_exact_zeros_and_zero_aus_that_are_kept_are_noise():
    recipe = Recipe(batch=2000, micro=2000)
    draws = draw(recipe, 0, range(2000), 5000, (4, 1, 1))
    au = torch.full((2000, 12), 3.0)
    au[1000:] = 0
    shown = condition(au, draws, recipe.zero_noise)
    assert (shown[draws.dropped] == 0).all()
    assert 0.07 < draws.dropped.float().mean() < 0.13
    assert torch.equal(shown[:1000][~draws.dropped[:1000]], au[:1000][~draws.dropped[:1000]])
    assert float(shown[1000:][~draws.dropped[1000:]].std()) == pytest.approx(0.2, rel=0.05)
    assert not draw(replace(recipe, au_dropout=0.0), 0, range(2000), 5000, (4, 1, 1)).dropped.any()


@pytest.mark.slow
def test_a_student_learns_the_guided_answer_of_its_own_start(latents, tmp_path):
    """At guidance 1 the start gives that answer already: nothing is left to learn."""
    learner = trainee()
    still = replace(FEW, steps=1, weight_decay=0.0, distil_guidance=1.0)
    train(learner, a_run(tmp_path / "one", still, latents))
    assert said(tmp_path / "one")[1]["loss"] < 1e-10
    with torch.no_grad():
        learner.denoiser.unet.class_embedding.weight.mul_(50)
    train(learner, a_run(tmp_path / "three", replace(still, distil_guidance=3.0), latents))
    assert said(tmp_path / "three")[1]["loss"] > 1e-4


def test_averages_follow_the_weights():
    network = torch.nn.Linear(1, 1, bias=False)
    averages = Averages(network, 0.5)
    start = network.weight.item()
    for value in (1.0, 2.0):
        network.weight.data.fill_(value)
        averages.update(network)
    first = start * 2 / 11 + 1.0 * 9 / 11
    assert float(averages.values["weight"]) == pytest.approx(first * 3 / 12 + 2.0 * 9 / 12)
    assert list(learning(network)) == ["weight"]


@pytest.mark.parametrize(
    ("wrong", "said_of_it"),
    [
        ({"au_encoder": "mlp"}, "known: linear.time, zero-append.time, mlp.conv"),
        ({"parts": "some"}, "known: all, last-layers, lora"),
        ({"dtype": "fp16"}, "known: fp32, bf16"),
        ({"optimiser": "sgd"}, "known: adamw, adamw8"),
        ({"lr": float("nan")}, "lr: got nan"),
        ({"batch": 0}, "batch: got 0"),
        ({"au_dropout": 1.5}, "au_dropout: got 1.5; expected 0…1"),
        ({"ema": 1.0}, "ema: got 1.0"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(wrong, said_of_it):
    with pytest.raises(EngineError, match=said_of_it):
        Recipe(**wrong)


def test_a_batch_is_shared_out_evenly_or_not_at_all():
    recipe = replace(FEW, batch=8, micro=2)
    assert recipe.places_of(1, 2) == [range(4, 6), range(6, 8)]
    with pytest.raises(EngineError, match="8 cannot be shared out to 3 workers"):
        recipe.places_of(0, 3)


def test_latents_that_do_not_belong_together_are_refused(latents):
    with pytest.raises(EngineError, match="background is"):
        replace(latents, background=latents.background[:, :, :2])
    with pytest.raises(EngineError, match="outside ±10"):
        replace(latents, au=latents.au + 11)
    with pytest.raises(EngineError, match="nothing to train on"):
        replace(latents, held_out=latents.held_out | True)

"""The small set to learn faces with: its VAE learns, and the rest begins as training wants it."""

from __future__ import annotations

import pytest
import torch

from engines.editors.magicface.checkpoint import load_vae
from engines.editors.magicface.folders import find_folders
from engines.editors.magicface.training import toy
from engines.editors.magicface.training.start import Start
from engines.errors import EngineError
from tests.engines.editors.magicface.training.paired import write_pairs


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch):
    monkeypatch.setattr(toy, "_BATCH", 4)


@pytest.fixture(scope="module")
def drawn() -> torch.Tensor:
    """`(24, 3, 32, 32)`: smooth pictures."""
    coarse = torch.rand(24, 3, 4, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, size=32, mode="bicubic").clamp(-1, 1)


def test_a_vae_that_learnt_shows_pictures_better_and_its_latents_are_normal(drawn):
    before = toy.psnr(toy.trained_vae(drawn, 1, 0), drawn)
    vae = toy.trained_vae(drawn, 20, 0)
    learnt = toy.psnr(vae, drawn)
    assert learnt > before + 1
    toy.normalise(vae, drawn)
    assert toy.psnr(vae, drawn) == pytest.approx(learnt, abs=1e-3)
    latents = vae.encode(drawn).latent_dist.mean
    assert latents.mean(dim=(0, 2, 3)).abs().max() < 1e-4
    assert latents.std(dim=(0, 2, 3)) == pytest.approx(torch.ones(4), abs=1e-3)


def test_the_set_is_whole_and_both_unets_begin_alike(drawn, tmp_path):
    vae = toy.trained_vae(drawn, 1, 0)
    toy.write_toy(tmp_path / "toy", vae)
    assert [p.name for p in tmp_path.iterdir()] == ["toy"]
    folders = find_folders(tmp_path / "toy")
    assert torch.equal(load_vae(folders.vae).encoder.conv_in.weight, vae.encoder.conv_in.weight)
    learner = Start(folders).trainee("linear+time")
    own = learner.features.unet.state_dict()
    theirs = learner.denoiser.unet.state_dict()
    shared = [n for n in own if own[n].shape == theirs[n].shape]
    assert len(shared) == len(own) - 1  # the denoiser's first layer sees the background too
    assert [n for n in shared if not torch.equal(own[n], theirs[n])] == []
    query = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    assert torch.equal(own[query], own[query.replace("to_q", "to_k")])
    latents, au = torch.randn(2, 4, 8, 8), torch.randn(2, 12)
    with torch.no_grad():
        assert learner(latents, latents, torch.tensor([5, 900]), au, latents).shape == (2, 4, 8, 8)


def test_pictures_of_another_size_and_folders_that_are_there_are_refused(tmp_path):
    pairs = write_pairs(tmp_path / "pairs", size=64)
    with pytest.raises(EngineError, match="pictures of 64 px; expected 32 px"):
        toy.main(pairs, tmp_path / "toy")
    with pytest.raises(EngineError, match="is there already"):
        toy.main(pairs, pairs)


def test_held_out_people_are_not_among_what_it_learns(tmp_path):
    pairs = toy.open_pairs(write_pairs(tmp_path / "pairs", size=32), size=32)
    learnt, held = toy.pictures(pairs)
    assert (len(learnt), len(held)) == (12, 4)
    assert -1 <= float(learnt.min()) < float(learnt.max()) <= 1

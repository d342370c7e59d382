"""Pairs that may not or cannot be trained on are refused by name; latents are made once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engines.editors.magicface import checkpoint
from engines.editors.magicface.bench.weights import FULL, write_weights
from engines.editors.magicface.folders import find_folders
from engines.editors.magicface.model.vae import VAEDecoder, VAEEncoder, to_network, to_pixels
from engines.editors.magicface.training.examples.cache import (
    cached_latents,
    latents_digest,
    vae_scale,
)
from engines.editors.magicface.training.examples.pairs import FACTS, open_pairs
from engines.editors.magicface.training.memory import GB, check_memory, needed
from engines.editors.magicface.training.progress.sheets import paint_sheet
from engines.editors.magicface.training.recipe import Recipe
from engines.editors.magicface.training.start import TINY_SIZE, Start, find_start
from engines.editors.magicface.training.work import picture_size
from engines.errors import EngineError
from tests.engines.editors.magicface.training.paired import row, write_pairs


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Start:
    return find_start("tiny", None, tmp_path_factory.mktemp("run"))


def test_good_pairs_are_opened_in_their_order(tmp_path):
    pairs = open_pairs(write_pairs(tmp_path / "p"), size=64)
    rows = [row(number, 64) for number in (0, 2, 4, 6, 1, 3, 5, 7)]
    assert pairs.au.tolist() == [r["au"] for r in rows]
    assert pairs.held_out.tolist() == [r["split"] == "held-out" for r in rows]
    pictures = list(pairs.pictures(range(3, 6)))
    assert len(pictures) == 3
    rng = np.random.default_rng(1)  # of pair 1, the fifth in the files' order
    drawn = rng.integers(0, 256, (3, 64, 64, 3), np.uint8)
    assert np.array_equal(pictures[1][0], drawn[0][..., ::-1])


@pytest.mark.parametrize(
    ("change", "said_of_it"),
    [
        ({"facts": {"size": 128}}, "pictures of 128 px; expected 64 px.*--size 64"),
        ({"facts": {"aus": ["AU2", "AU1"]}}, "AUs in the order AU2, AU1; expected AU1, AU2, AU4"),
        ({"facts": {"version": 9}}, "got version 9; expected 2"),
        ({"facts": {"pairs": 9}}, "8 pairs; expected the 9"),
        ({"facts": {"clips": {}}}, "aaaaaaaaaaaa: no provenance; expected licence, consent"),
        ({"facts": {"clips": {"a" * 64: {"name": "x.mp4", "licence": "own"}}}}, "x.mp4: no consen"),
        (
            {"facts": {"clips": {"a" * 64: {"name": "x", "licence": "o", "consent": "c"}}}},
            "may_train is not true",
        ),
        ({"row": {"identity": "both"}}, "'both' is in train and in held-out"),
        ({"row": {"split": "test"}}, "split 'test'; expected train or held-out"),
        ({"row": {"au": [0.5] * 12}}, "au is not target_au − source_au"),
        ({"row": {"au": [11.0] * 12}}, "outside ±10"),
        ({"row": {"au": [float("nan")] * 12}}, "not numbers"),
    ],
)
def test_wrong_pairs_are_refused_with_what_is_wrong(change, said_of_it, tmp_path):
    rows = [row(number, 64, **change.get("row", {})) for number in range(8)]
    folder = write_pairs(tmp_path / "p", rows, facts=change.get("facts"))
    with pytest.raises(EngineError, match=said_of_it):
        open_pairs(folder, size=64)


def test_footage_without_leave_is_trained_on_only_where_that_is_said(tmp_path):
    folder = write_pairs(tmp_path / "p", facts={"clips": {}})
    assert len(open_pairs(folder, size=64, need_provenance=False)) == 8


def test_what_is_no_folder_of_pairs_is_named(tmp_path):
    with pytest.raises(EngineError, match=r"no pairs in .*expected pairs.json"):
        open_pairs(tmp_path, size=64)
    folder = write_pairs(tmp_path / "p")
    (folder / FACTS).write_text("[]")
    with pytest.raises(EngineError, match=r"pairs.json: not readable"):
        open_pairs(folder, size=64)
    write_pairs(tmp_path / "q")
    (tmp_path / "q/pairs/part-00001.parquet").write_bytes(b"no parquet")
    with pytest.raises(EngineError, match=r"part-00001.parquet: not readable"):
        open_pairs(tmp_path / "q", size=64)


def test_latents_are_the_vaes_made_once_and_alike_by_any_number_of_workers(tiny, tmp_path):
    pairs = open_pairs(write_pairs(tmp_path / "p"), size=64)
    folders = tiny.folders
    made = cached_latents(pairs, folders, tmp_path, "cpu", 0, 1)
    assert made.shape == (4, 8, 8)
    encoder = VAEEncoder(checkpoint.load_vae(folders.vae)).eval()
    pictures = np.stack([source for source, _, _ in pairs.pictures(range(4))])
    planes = torch.from_numpy(pictures.astype(np.float32) / 255).permute(0, 3, 1, 2)
    with torch.no_grad():
        theirs = encoder(to_network(planes.contiguous())).numpy()
    assert np.array_equal(made.source[:4], theirs)
    (folder,) = tmp_path.glob("latents-*")
    written = (folder / "source.npy").stat().st_mtime_ns
    again = cached_latents(pairs, folders, tmp_path, "cpu", 0, 1)
    assert (folder / "source.npy").stat().st_mtime_ns == written
    assert again.digest == made.digest == latents_digest(pairs, folders)
    other = open_pairs(
        write_pairs(tmp_path / "o", [row(n, 64, track=1) for n in range(8)]), size=64
    )
    assert latents_digest(other, folders) != made.digest


@pytest.mark.slow
def test_a_sheet_shows_held_out_pairs_and_what_the_weights_make_of_them(tiny, tmp_path):
    pairs = open_pairs(write_pairs(tmp_path / "p"), size=64)
    latents = cached_latents(pairs, tiny.folders, tmp_path, "cpu", 0, 1)
    trainee = tiny.trainee("linear+time")
    paint_sheet(trainee, latents, tiny.folders, "cpu", tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1]
    assert sheet.shape == (2 * 64, 3 * 64, 3)  # two pairs are of the held-out person
    decoder = VAEDecoder(checkpoint.load_vae(tiny.folders.vae)).eval()
    source = latents.take(latents.rows(held_out=True), "cpu").source
    with torch.no_grad():
        round_trip = to_pixels(decoder(source)).permute(0, 2, 3, 1).numpy() * 255
    assert np.abs(sheet[:, :64].reshape(2, 64, 64, 3) - round_trip).max() <= 0.51
    with torch.no_grad():
        trainee.denoiser.unet.class_embedding.weight.mul_(30)
    paint_sheet(trainee, latents, tiny.folders, "cpu", tmp_path / "other.png")
    other = cv2.imread(str(tmp_path / "other.png"))[..., ::-1]
    assert np.array_equal(other[:, :128], sheet[:, :128])
    assert not np.array_equal(other[:, 128:], sheet[:, 128:])


def test_a_picture_of_another_size_is_named(tiny, tmp_path):
    rows = [row(n, 64) | ({"target": row(n, 32)["target"]} if n == 2 else {}) for n in range(8)]
    pairs = open_pairs(write_pairs(tmp_path / "p", rows), size=64)
    with pytest.raises(EngineError, match=r"pair 1: target: got 32x32; expected 64x64"):
        cached_latents(pairs, tiny.folders, tmp_path, "cpu", 0, 1)
    assert not [*tmp_path.glob("latents-*")]


def test_a_start_says_what_pictures_it_is_of(tiny):
    assert vae_scale(tiny.folders) == 8
    assert picture_size(tiny) == 64


def test_tiny_starts_are_alike_and_the_editor_takes_them(tiny, tmp_path):
    other = find_start("tiny", None, tmp_path)
    one, two = (checkpoint.read_tensors(s.folders.denoiser) for s in (tiny, other))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_sd15_starts_both_unets_and_the_first_step_computes_what_sd_computed(tmp_path):
    folder = write_weights(tmp_path / "sd", TINY_SIZE)
    (folder / "ID_enc").rename(folder / "unet")
    start = find_start("sd15", str(folder), tmp_path)
    trainee = start.trainee("linear+time")
    layer = trainee.denoiser.unet.class_embedding
    assert not layer.weight.any()
    assert not trainee.denoiser.unet.conv_in.weight[:, 4:].any()
    sd = checkpoint.load_id_unet(folder / "unet")
    prompt = checkpoint.load_prompt(start.folders)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    background = torch.ones(1, 4, 8, 8)
    with torch.no_grad():
        theirs = sd(latents, 500, prompt, return_dict=False)[0]
        ours = trainee.denoiser(latents, background, torch.tensor(500), torch.ones(1, 12), ())
    assert torch.allclose(ours, theirs, atol=1e-5)
    with pytest.raises(EngineError, match="no unet, vae"):
        find_start("sd15", str(tmp_path), tmp_path)


@pytest.mark.slow  # the same refusal is asked for by name in tests/jobs/test_train.py
def test_too_little_memory_is_said_with_what_would_fit(tiny):
    recipe = Recipe(micro=8)
    need = needed(tiny, recipe, 64, 8)
    spared = needed(tiny, replace(recipe, checkpointing=True), 64, 8)
    assert spared.activations < need.activations / 2
    assert spared.learning == need.learning
    assert needed(tiny, replace(recipe, parts="lora"), 64, 8).learning < need.learning / 3
    bare = replace(recipe, ema=0.0)  # gradients and two moments
    whole = needed(tiny, bare, 64, 8, 4).learning
    shared = needed(tiny, replace(bare, shard_states=True), 64, 8, 4).learning
    small = needed(tiny, replace(bare, optimiser="adamw8"), 64, 8, 4).learning
    assert shared == pytest.approx(whole * (1 + 2 / 4) / 3)
    assert small == pytest.approx(whole * (4 + 2 * (1 + 4 / 256)) / 12)
    assert check_memory(tiny, recipe, 64, 8, need.total, "here") == need
    with pytest.raises(EngineError, match=r"GB are needed .* here has .*fit: --checkpointing \("):
        check_memory(tiny, recipe, 64, 8, spared.total + 1, "here")


@pytest.mark.slow
def test_the_real_size_needs_what_its_parameters_say(tmp_path):
    folder = tmp_path / "full"
    for name, channels in (("ID_enc", 4), ("denoising_unet", 8)):
        config = {
            "in_channels": channels,
            "block_out_channels": FULL.channels,
            "attention_head_dim": FULL.heads,
            "cross_attention_dim": FULL.prompt_channels,
        }
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(json.dumps(config))
    for name in ("vae", "text_encoder", "tokenizer", "scheduler"):
        (folder / name).mkdir()
    start = Start(find_folders(Path(folder)))
    need = needed(start, Recipe(micro=1, ema=0.0), 512, 8)
    assert (need.weights + need.learning) / GB == pytest.approx(27.5, rel=0.01)  # fp32 with Adam
    assert 5 < need.activations / GB < 40

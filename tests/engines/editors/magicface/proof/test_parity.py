"""Parity holds for the official numbers and fails for every known way to get them wrong."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from diffusers import UniPCMultistepScheduler
from safetensors.torch import load_file, save_file

from engines.editors.magicface.model import vae
from engines.editors.magicface.model.unet import transformer_blocks
from engines.editors.magicface.proof import parity
from engines.editors.magicface.proof.bounds import TOLERANCES
from engines.editors.magicface.proof.golden import read_golden
from engines.editors.magicface.sampling import sampler
from engines.errors import EngineError
from tests.engines.editors.magicface.proof.golden_maker import make_golden

ROOT = Path(__file__).resolve().parents[5]


@pytest.fixture(scope="module")
def own_golden(tiny_weights, tmp_path_factory):
    """Non-square, dense AU vectors, guidance 7.5, and a run without guidance."""
    root = tmp_path_factory.mktemp("golden") / "set"
    with torch.inference_mode(), parity.one_thread():
        return make_golden(tiny_weights, root, (64, 96), {"strong": (3, 7.5), "n2_nocfg": (2, 0.9)})


def _lines(root, dtype="fp32"):
    return {line.quantity: line for line in parity.check(read_golden(root), "cpu", dtype)}


def _failing(root, dtype="fp32"):
    return {name for name, line in _lines(root, dtype).items() if not line.ok}


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
def test_a_set_of_any_size_and_guidance_holds(own_golden, dtype):
    lines = _lines(own_golden, dtype)
    assert {name: line for name, line in lines.items() if not line.ok} == {}
    outputs = load_file(own_golden / "outputs.safetensors")
    assert set(outputs) < set(lines)
    assert {"output_strong_0.png", "prompt_embeds", "input_ids"} < set(lines)
    if dtype == "fp32":
        assert lines["latents_strong"].tolerance == TOLERANCES["latents"]
    else:
        assert lines["latents_strong"].tolerance > 10 * TOLERANCES["latents"]
    assert lines["sigmas_3"].tolerance == 1e-6


def test_the_official_set_holds(golden):
    lines = _lines(golden)
    assert {name: line for name, line in lines.items() if not line.ok} == {}
    assert len(lines) == 43


@pytest.fixture(scope="module")
def short_golden(golden, tmp_path_factory):
    """The official set without its ten-step run, which takes most of the time."""
    root = tmp_path_factory.mktemp("short")
    for path in golden.iterdir():
        if path.name not in {"outputs.safetensors", "images"}:
            (root / path.name).symlink_to(path)
    outputs = load_file(golden / "outputs.safetensors")
    kept = {name: tensor for name, tensor in outputs.items() if "n10" not in name}
    save_file(kept, root / "outputs.safetensors")
    return root


@pytest.fixture(params=["own_golden", "short_golden"])
def any_golden(request):
    return request.getfixturevalue(request.param)


def _change_modules(monkeypatch, change):
    load = parity.load_modules

    def changed(*args):
        modules = load(*args)
        change(modules)
        return modules

    monkeypatch.setattr(parity, "load_modules", changed)


def _foreign_norm(modules):
    blocks = transformer_blocks(modules.id_encoder.features.unet)
    modules.id_encoder.projection.norms[4] = blocks[4].norm1


def _foreign_keys(modules):
    blocks = transformer_blocks(modules.id_encoder.features.unet)
    modules.id_encoder.projection.keys[9] = blocks[9].attn1.to_k


def _foreign_values(modules):
    blocks = transformer_blocks(modules.id_encoder.features.unet)
    modules.id_encoder.projection.values[0] = blocks[0].attn1.to_v


def _later_id_timestep(modules):
    modules.id_encoder.features.timestep.fill_(1)


def _no_norm(modules):
    modules.id_encoder.projection.norms[15] = torch.nn.Identity()


def _no_null_bias(modules):
    modules.denoiser.unet.class_embedding.bias.zero_()


NETWORK_MUTATIONS = {
    "the ID encoder's norm1 in one block": (_foreign_norm, "deno_t0999"),
    "no norm1 in one block": (_no_norm, "deno_t0999"),
    "the ID encoder's keys in one block": (_foreign_keys, "deno_t0999"),
    "the ID encoder's values in one block": (_foreign_values, "deno_t0999"),
    "ID timestep 1": (_later_id_timestep, "id_feat_00"),
    "no bias in the AU layer": (_no_null_bias, "deno_t0999"),
}


@pytest.mark.parametrize("mutation", NETWORK_MUTATIONS)
def test_parity_fails_with_a_wrong_network(any_golden, monkeypatch, mutation):
    change, first_to_fail = NETWORK_MUTATIONS[mutation]
    _change_modules(monkeypatch, change)
    failing = _failing(any_golden)
    assert first_to_fail in failing
    assert any(name.startswith("latents_") for name in failing)


def test_parity_fails_when_latents_are_decoded_without_scaling(own_golden, monkeypatch):
    load = parity.load_modules
    monkeypatch.setattr(parity, "load_modules", lambda *a: replace(load(*a), scaling_factor=1.0))
    failing = _failing(own_golden)
    assert {"decoded_strong", "output_strong_0.png"} <= failing
    assert "latents_strong" not in failing


def test_parity_fails_when_guidance_takes_its_halves_in_the_wrong_order(any_golden, monkeypatch):
    right = sampler.combine
    monkeypatch.setattr(sampler, "combine", lambda eps, s: right(eps.roll(len(eps) // 2, 0), s))
    assert any(name.startswith("latents_") for name in _failing(any_golden))


def test_parity_fails_when_latents_are_scaled_on_the_way_in(any_golden, monkeypatch):
    encode = vae.VAEEncoder.forward
    monkeypatch.setattr(vae.VAEEncoder, "forward", lambda s, x: encode(s, x) * 0.18215)
    assert {"source_latents", "bg_latents", "deno_t0999"} <= _failing(any_golden)


@pytest.mark.parametrize(
    "setting", [{"timestep_spacing": "leading"}, {"timestep_spacing": "trailing"},
                {"final_sigmas_type": "zero"}, {"solver_order": 1}]
)  # fmt: skip
def test_parity_fails_with_another_schedule(any_golden, monkeypatch, setting):
    right = sampler.SCHEDULERS["unipc"][1]
    monkeypatch.setitem(sampler.SCHEDULERS, "unipc", (UniPCMultistepScheduler, right | setting))
    failing = _failing(any_golden)
    assert any(name.startswith("latents_") for name in failing)
    assert "source_latents" not in failing


def _turned_round(monkeypatch):
    right = sampler.combine
    monkeypatch.setattr(sampler, "combine", lambda eps, s: right(eps.roll(len(eps) // 2, 0), s))


def _first_order(monkeypatch):
    right = sampler.SCHEDULERS["unipc"][1] | {"solver_order": 1}
    monkeypatch.setitem(sampler.SCHEDULERS, "unipc", (UniPCMultistepScheduler, right))


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: _change_modules(patch, _foreign_norm),
        lambda patch: _change_modules(patch, _no_null_bias),
        _turned_round,
        _first_order,
    ],
    ids=["ID encoder's norm1", "no AU bias", "guidance order", "solver order"],
)
def test_fp16_parity_fails_for_the_least_of_the_mistakes(short_golden, monkeypatch, change):
    """All thirteen fail there; these lie nearest to rounding."""
    change(monkeypatch)
    failing = _failing(short_golden, "fp16")
    assert "latents_n4_g1.5" in failing
    assert "source_latents" not in failing


def test_runs_speak_through_their_names_without_meta(tiny_weights, tmp_path):
    with torch.inference_mode():
        root = make_golden(tiny_weights, tmp_path / "s", (64, 64), {"n2_g4": (2, 4.0)})
    (root / "meta.json").unlink()
    golden = read_golden(root)
    assert golden.runs["n2_g4"].steps == 2
    assert golden.runs["n2_g4"].guidance == 4.0
    assert _failing(root) == set()


def test_a_picture_that_is_not_of_the_set_is_passed_over(own_golden, tmp_path):
    for path in own_golden.iterdir():
        if path.name != "images":
            (tmp_path / path.name).symlink_to(path)
    shutil.copytree(own_golden / "images", tmp_path / "images")
    cv2.imwrite(str(tmp_path / "images" / "contact_sheet.png"), np.zeros((8, 8), np.uint8))
    (tmp_path / "images" / "source_0_small.png").write_bytes(b"not a picture")
    quantities = [name for name, _ in read_golden(tmp_path).expected()]
    assert quantities == [name for name, _ in read_golden(own_golden).expected()]
    shutil.copy2(tmp_path / "images" / "output_strong_0.png", tmp_path / "images/output_lost_0.png")
    assert _lines(tmp_path)["output_lost_0.png"].reason == "no rule to recompute it"


def test_a_quantity_without_a_rule_fails_and_says_so(own_golden, tmp_path):
    root = tmp_path / "copy"
    root.mkdir()
    for path in own_golden.iterdir():
        if path.name != "outputs.safetensors":
            (root / path.name).symlink_to(path)
    outputs = load_file(own_golden / "outputs.safetensors")
    spoiled = {
        "mystery": torch.ones(2),
        "latents_lost": torch.ones(2),
        "source_latents": outputs["source_latents"][:, :, :4].contiguous(),
        "bg_latents": outputs["bg_latents"] * torch.nan,
    }
    save_file(spoiled, root / "outputs.safetensors")
    lines = _lines(root)
    assert lines["mystery"].reason == "no rule to recompute it"
    assert lines["latents_lost"].reason == "no rule to recompute it"
    assert lines["source_latents"].reason == "got (2, 4, 8, 12); expected (2, 4, 4, 12)"
    assert lines["bg_latents"].reason == "not finite"
    assert not any(lines[name].ok for name in spoiled)


def test_the_command_prints_one_json_line_each_and_exits_by_the_verdict(own_golden):
    command = [sys.executable, "-m", "engines.editors.magicface.proof.parity", str(own_golden)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"quantity", "max_abs", "max_rel", "tolerance", "ok"} <= told[0].keys()
    assert all(line["ok"] is True for line in told)


def test_one_wrong_tensor_is_exit_status_1(own_golden, tmp_path, capsys):
    for path in own_golden.iterdir():
        if path.name != "outputs.safetensors":
            (tmp_path / path.name).symlink_to(path)
    spoiled = load_file(own_golden / "outputs.safetensors")
    spoiled["id_feat_03"] = spoiled["id_feat_03"] + 1e-3
    save_file(spoiled, tmp_path / "outputs.safetensors")
    assert parity.main(tmp_path) == 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["quantity"] for line in told if not line["ok"]] == ["id_feat_03"]


def test_the_command_says_in_one_line_what_is_wrong_with_a_folder(tmp_path, capsys):
    assert parity.main(tmp_path / "nothing") == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"no weights folder {tmp_path / 'nothing'}\n"


@pytest.mark.parametrize(
    ("device", "dtype", "message"),
    [("cpu", "fp8", "no dtype 'fp8'; known: fp32, fp16, bf16"), ("cuda", "fp32", "no CUDA GPU")],
)
def test_an_unknown_dtype_or_absent_device_is_refused(own_golden, device, dtype, message):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("a GPU is here")
    with pytest.raises(EngineError, match=message):
        list(parity.check(read_golden(own_golden), device, dtype))


def test_misshapen_inputs_are_named(own_golden, tmp_path):
    for path in own_golden.iterdir():
        if path.name != "inputs.safetensors":
            (tmp_path / path.name).symlink_to(path)
    inputs = load_file(own_golden / "inputs.safetensors")
    save_file(inputs | {"au": inputs["au"][:, :11].contiguous()}, tmp_path / "inputs.safetensors")
    with pytest.raises(EngineError, match=r"au is \(2, 11\); expected \(2, 12\)"):
        read_golden(tmp_path)
    save_file({"au": inputs["au"]}, tmp_path / "inputs.safetensors")
    with pytest.raises(EngineError, match="no source_u8, bg_u8, latents_init"):
        read_golden(tmp_path)

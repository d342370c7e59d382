"""Strict loading: what fits loads to the bit, what does not is named in one line."""

import json
import re
import shutil
import socket

import pytest
import torch
from safetensors.torch import load_file, save_file

from engines.editors.magicface import checkpoint
from engines.editors.magicface.folders import BASE_FOLDERS, find_folders
from engines.editors.magicface.model.torch_networks import load_modules
from engines.errors import EngineError, EngineUnavailableError

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def copied(tiny_weights, tmp_path):
    """A set of weights to spoil."""
    return shutil.copytree(tiny_weights, tmp_path / "weights")


def _change(folder, change, name=WEIGHTS):
    tensors = load_file(folder / name)
    change(tensors)
    save_file(tensors, folder / name)


def _configure(folder, **settings):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def _one_line(error) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_every_official_key_finds_its_place(tiny_weights):
    unet = checkpoint.load_id_unet(tiny_weights / "ID_enc")
    denoiser = checkpoint.load_denoiser_unet(tiny_weights / "denoising_unet")
    assert len(unet.state_dict()) == 686
    assert denoiser.state_dict().keys() - unet.state_dict().keys() == {
        "class_embedding.weight",
        "class_embedding.bias",
    }
    file = load_file(tiny_weights / "denoising_unet" / WEIGHTS)
    assert torch.equal(denoiser.class_embedding.weight, file["au_aug_mlp.weight"])
    assert torch.equal(denoiser.conv_in.weight, file["conv_in.weight"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_networks_load_in_the_asked_dtype(tiny_weights, dtype):
    modules = load_modules(find_folders(tiny_weights), "cpu", dtype)
    floats = {
        tensor.dtype
        for net in (modules.id_encoder, modules.denoiser, modules.vae_decoder)
        for tensor in (*net.parameters(), *net.buffers())
        if tensor.is_floating_point()
    }
    assert floats == {dtype}
    assert modules.image_size == 64


def test_base_weights_may_lie_elsewhere(copied, tmp_path):
    base = tmp_path / "sd15"
    base.mkdir()
    for name in BASE_FOLDERS:
        shutil.move(copied / name, base / name)
    assert find_folders(copied, base).vae == base / "vae"
    with pytest.raises(EngineUnavailableError, match="no vae, text_encoder, tokenizer, scheduler"):
        find_folders(copied)


def test_missing_extra_and_misshapen_keys_are_named(copied):
    folder = copied / "denoising_unet"

    def spoil(tensors):
        tensors["conv_in.weight"] = tensors["conv_in.weight"][:, :4].contiguous()
        tensors["surprise.weight"] = tensors.pop("au_aug_mlp.weight")

    _change(folder, spoil)
    with pytest.raises(EngineError, match="does not fit") as error:
        checkpoint.load_denoiser_unet(folder)
    message = _one_line(error)
    assert "missing class_embedding.weight" in message
    assert "unexpected surprise.weight" in message
    assert "conv_in.weight (16, 4, 3, 3) (expected (16, 8, 3, 3))" in message
    assert str(folder) in message


def test_a_long_list_of_faults_stays_one_short_line(copied):
    def spoil(tensors):
        for name in [name for name in tensors if "attn1" in name]:
            del tensors[name]

    _change(copied / "ID_enc", spoil)
    with pytest.raises(EngineError, match=r"and \d+ more") as error:
        checkpoint.load_id_unet(copied / "ID_enc")
    assert len(_one_line(error)) < 400


def test_a_stable_diffusion_folder_is_not_magicface(copied):
    (copied / "ID_enc").rename(copied / "unet")
    shutil.rmtree(copied / "denoising_unet")
    with pytest.raises(EngineUnavailableError) as error:
        find_folders(copied)
    message = _one_line(error)
    assert "no ID_enc, denoising_unet" in message
    assert "unet" in message.split("found")[1]


def test_an_id_encoder_in_the_denoisers_place_is_refused(copied):
    with pytest.raises(EngineError, match="got in_channels 4; expected 8"):
        checkpoint.load_denoiser_unet(copied / "ID_enc")
    with pytest.raises(EngineError, match="got in_channels 8; expected 4"):
        checkpoint.load_id_unet(copied / "denoising_unet")


def test_networks_of_other_widths_do_not_belong_together(copied, tmp_path):
    from tests.engines.editors.magicface.tiny import make_weights

    wide = make_weights(tmp_path / "wide", channels=(16, 16, 16, 16))
    shutil.rmtree(copied / "ID_enc")
    shutil.copytree(wide / "ID_enc", copied / "ID_enc")
    with pytest.raises(EngineError, match="do not belong together") as error:
        load_modules(find_folders(copied))
    _one_line(error)


def test_a_text_encoder_of_another_model_is_refused(copied, tmp_path):
    from tests.engines.editors.magicface.tiny import make_weights

    other = make_weights(tmp_path / "other", text=32)
    for name in ("text_encoder", "tokenizer"):
        shutil.rmtree(copied / name)
        shutil.copytree(other / name, copied / name)
    with pytest.raises(EngineError, match="text_encoder gives 32 channels; ID_enc expects 16"):
        load_modules(find_folders(copied))


def test_the_vaes_attention_may_bear_its_old_names(copied):
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    now = load_file(copied / "vae" / WEIGHTS)

    def rename(tensors):
        for new_name, old_name in old.items():
            for name in [n for n in tensors if f".attentions.0.{new_name}." in n]:
                tensors[name.replace(new_name, old_name)] = tensors.pop(name)

    _change(copied / "vae", rename)
    loaded = checkpoint.load_vae(copied / "vae").state_dict()
    assert all(torch.equal(loaded[name], now[name]) for name in now)


def test_the_text_encoder_may_come_with_or_without_its_prefix(copied):
    folders = find_folders(copied)
    embedded = checkpoint.load_prompt(folders)
    path = folders.text_encoder / "model.safetensors"
    bare = {name.removeprefix("text_model."): t for name, t in load_file(path).items()}
    for prefix in ("", "text_model."):
        named = {prefix + name: tensor for name, tensor in bare.items()}
        named[f"{prefix}embeddings.position_ids"] = torch.arange(77)[None]
        save_file(named, path)
        assert torch.equal(checkpoint.load_prompt(folders), embedded)
    assert embedded.shape == (1, 77, 16)


def test_shards_and_fp16_variants_are_read(copied):
    folder = copied / "ID_enc"
    whole = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    save_file(whole, folder / "diffusion_pytorch_model.fp16.safetensors")
    assert len(checkpoint.load_id_unet(folder).state_dict()) == 686
    (folder / "diffusion_pytorch_model.fp16.safetensors").unlink()
    names = sorted(whole)
    parts = {"a.safetensors": names[:300], "b.safetensors": names[300:]}
    for file, keys in parts.items():
        save_file({key: whole[key] for key in keys}, folder / file)
    index = {key: file for file, keys in parts.items() for key in keys}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": index}))
    assert torch.equal(checkpoint.load_id_unet(folder).state_dict()[names[-1]], whole[names[-1]])


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda f: (f / WEIGHTS).unlink(), "no diffusion_pytorch_model.safetensors"),
        (lambda f: (f / WEIGHTS).rename(f / "x.bin"), "x.bin is a pickle"),
        (lambda f: (f / WEIGHTS).write_bytes(b"not tensors"), "not a readable safetensors file"),
        (lambda f: (f / "config.json").unlink(), "no config.json"),
        (lambda f: (f / "config.json").write_text("{"), "not readable as JSON"),
        (lambda f: (f / "config.json").write_text("[1]"), "got list; expected an object"),
        (lambda f: _configure(f, wings=2), "UNet2DConditionModel knows no wings"),
        (lambda f: _configure(f, down_block_types=["NoSuchBlock"] * 4), "NoSuchBlock"),
        (lambda f: _configure(f, norm_num_groups=7), "config.json"),
    ],
)
def test_a_spoiled_component_is_one_clear_line(copied, spoil, expected):
    spoil(copied / "ID_enc")
    with pytest.raises(EngineError, match=re.escape(expected)) as error:
        checkpoint.load_id_unet(copied / "ID_enc")
    assert "ID_enc" in _one_line(error)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda f: (f / "vocab.json").unlink(), "no vocab.json"),
        (lambda f: (f / "merges.txt").unlink(), "no merges.txt"),
        (lambda f: (f / "vocab.json").write_text("?"), "not readable as JSON"),
        (
            lambda f: (f / "vocab.json").write_text(
                json.dumps(
                    {n: i + 9000 for n, i in json.loads((f / "vocab.json").read_text()).items()}
                )
            ),
            "text_encoder knows 64",
        ),
    ],
)
def test_a_spoiled_tokenizer_is_one_clear_line(copied, spoil, expected):
    spoil(copied / "tokenizer")
    with pytest.raises(EngineError, match=re.escape(expected)) as error:
        checkpoint.load_prompt(find_folders(copied))
    _one_line(error)


def test_loading_never_opens_a_connection(tiny_weights, monkeypatch):
    opened: list[object] = []

    def refuse(*asked):
        opened.append(asked)
        raise OSError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(OSError, match="a connection was opened"):
        socket.create_connection(("127.0.0.1", 9))
    assert len(opened) == 1, "the watch must see a connection"
    modules = load_modules(find_folders(tiny_weights))
    assert len(opened) == 1
    assert modules.prompt_embeds.shape[:2] == (1, 77)

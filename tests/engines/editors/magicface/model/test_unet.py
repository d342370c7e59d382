"""Our networks against the official way of computing, on tiny weights and on the golden tensors."""

import pytest
import torch
from safetensors.torch import load_file

from engines.editors.magicface import checkpoint
from engines.editors.magicface.folders import find_folders
from engines.editors.magicface.model.attention import IDSelfAttention, PromptCrossAttention
from engines.editors.magicface.model.torch_networks import load_modules
from engines.editors.magicface.model.unet import (
    DenoiserUNet,
    IDEncoderUNet,
    IDFeatures,
    IDProjection,
    record_block_inputs,
    transformer_blocks,
)
from engines.editors.magicface.model.vae import to_network
from engines.editors.magicface.proof.official import OfficialDenoiser, official_features

FRAMES = 2
EXACT = torch.float64  # the algebra is exact: float64 leaves no room for a wrong term


@pytest.fixture(scope="module")
def folders(tiny_weights):
    return find_folders(tiny_weights)


@pytest.fixture(scope="module")
def prompt(folders):
    return checkpoint.load_prompt(folders).to(EXACT)


@pytest.fixture(scope="module")
def denoiser(folders, prompt):
    return DenoiserUNet(checkpoint.load_denoiser_unet(folders.denoiser, EXACT), prompt)


@pytest.fixture(scope="module")
def encoder(folders, prompt, denoiser):
    features = IDFeatures(checkpoint.load_id_unet(folders.id_encoder, EXACT), prompt)
    return IDEncoderUNet(features, IDProjection(denoiser))


def _inputs(height: int, width: int):
    generator = torch.Generator().manual_seed(height * 100 + width)
    source, background, latents = torch.randn(
        (3, FRAMES, 4, height, width), generator=generator, dtype=EXACT
    )
    au = torch.randn((FRAMES, 12), generator=generator, dtype=EXACT) * 4
    return source, background, latents, au


def _relative(ours, theirs):
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize("size", [(8, 8), (8, 16), (24, 8), (9, 13)])
def test_the_exact_algebra_gives_the_official_numbers(folders, prompt, denoiser, encoder, size):
    source, background, latents, au = _inputs(*size)
    id_unet = checkpoint.load_id_unet(folders.id_encoder, EXACT)
    official = OfficialDenoiser(checkpoint.load_denoiser_unet(folders.denoiser, EXACT))
    both = [torch.cat([x, x]) for x in (latents, background)]
    both_au = torch.cat([au, torch.zeros_like(au)])
    theirs_features = official_features(id_unet, torch.cat([source, source]), prompt)
    theirs = official(*both, 500, both_au, features=theirs_features, prompt_embeds=prompt)

    features = encoder.features(source)
    ours = denoiser(*both, torch.tensor(500), both_au, encoder.projection(features))

    for feature, expected in zip(features, theirs_features, strict=True):
        assert _relative(feature, expected[:FRAMES]) < 1e-12
    assert _relative(ours, theirs) < 1e-12


def test_the_official_block_is_the_one_of_the_paper(folders, prompt):
    """The witness itself, checked against softmax(qKᵀ/√d)V written out by hand in float64."""
    unet = checkpoint.load_denoiser_unet(folders.denoiser, EXACT)
    official = OfficialDenoiser(unet)
    block = transformer_blocks(unet)[3]
    x, feature = torch.randn((2, 1, 6, 16), dtype=EXACT)
    official._features = [feature] * 16
    got = block.forward(x, encoder_hidden_states=prompt)

    def attention(attn, queries_from, keys_from):
        def heads(projected):
            return projected.reshape(-1, attn.heads, 8).permute(1, 0, 2)

        q = heads(attn.to_q(queries_from))
        k, v = heads(attn.to_k(keys_from)), heads(attn.to_v(keys_from))
        weights = torch.softmax(q @ k.mT / 8**0.5, dim=-1)
        return attn.to_out[0]((weights @ v).permute(1, 0, 2).reshape(-1, 16))

    tokens = block.norm1(torch.cat([x[0], feature[0]]))
    expected = x[0] + attention(block.attn1, tokens, tokens)[:6]
    expected = expected + attention(block.attn2, block.norm2(expected), prompt[0])
    expected = expected + block.ff(block.norm3(expected))
    assert torch.allclose(got[0], expected, rtol=0, atol=1e-12)


def test_only_the_image_tokens_ask(denoiser, encoder):
    source, background, latents, au = _inputs(8, 8)
    asked: list[tuple[int, int]] = []
    blocks = transformer_blocks(denoiser.unet)
    with record_block_inputs(denoiser.unet) as streams:
        hooks = [
            block.attn1.to_q.register_forward_hook(lambda _m, _i, q: asked.append(q.shape[:2]))
            for block in blocks
        ]
        denoiser(latents, background, torch.tensor(1), au, encoder(source))
    for hook in hooks:
        hook.remove()
    assert asked == [stream.shape[:2] for stream in streams]
    assert len(asked) == 16


def test_the_id_encoder_computes_nothing_after_its_last_tap(encoder):
    unet = encoder.features.unet
    last = unet.up_blocks[-1].attentions[-1]
    assert sum(p.numel() for p in last.transformer_blocks.parameters()) == 0
    assert sum(p.numel() for p in last.proj_out.parameters()) == 0
    assert sum(p.numel() for p in unet.conv_out.parameters()) == 0
    assert unet.conv_norm_out is None


def test_the_prompt_is_projected_once_when_the_network_is_made(denoiser, encoder):
    projected: list[str] = []
    asked: list[str] = []
    hooks = [
        layer.register_forward_hook(lambda *_, kind=kind, to=to: to.append(kind))
        for unet in (denoiser.unet, encoder.features.unet)
        for block in transformer_blocks(unet)
        if hasattr(block, "attn2")
        for kind, layer, to in (
            ("key", block.attn2.to_k, projected),
            ("value", block.attn2.to_v, projected),
            ("query", block.attn2.to_q, asked),
        )
    ]
    source, background, latents, au = _inputs(8, 8)
    denoiser(latents, background, torch.tensor(1), au, encoder(source))
    for hook in hooks:
        hook.remove()
    assert projected == []
    assert len(asked) == 16 + 15, "each block but the ID encoder's cut last one asks the prompt"


def test_both_guidance_halves_share_one_set_of_keys_and_values(denoiser, encoder):
    source, background, latents, au = _inputs(8, 16)
    id_kv = encoder(source)
    doubled = tuple((torch.cat([k, k]), torch.cat([v, v])) for k, v in id_kv)
    both = [torch.cat([x, x]) for x in (latents, background)]
    both_au = torch.cat([au, torch.zeros_like(au)])
    shared = denoiser(*both, torch.tensor(7), both_au, id_kv)
    copied = denoiser(*both, torch.tensor(7), both_au, doubled)
    assert torch.equal(shared, copied)
    assert id_kv[0][0].shape == (FRAMES, 2, 8 * 16, 8)


def test_a_recorder_undoes_itself(folders):
    unet = checkpoint.load_id_unet(folders.id_encoder)
    with record_block_inputs(unet):
        assert all(block._forward_pre_hooks for block in transformer_blocks(unet))
    assert not any(block._forward_pre_hooks for block in transformer_blocks(unet))


def test_features_of_one_call_do_not_leak_into_the_next(encoder):
    source, other, *_ = _inputs(8, 8)
    first = encoder.features(source)
    again = encoder.features(other)
    assert len(first) == len(again) == 16
    assert torch.equal(encoder.features(source)[15], first[15])
    assert not torch.equal(again[15], first[15])


def test_the_processors_take_the_place_of_every_stock_one(denoiser):
    blocks = transformer_blocks(denoiser.unet)
    assert len(blocks) == 16
    assert [block.attn1.processor.index for block in blocks] == list(range(16))
    assert all(isinstance(block.attn1.processor, IDSelfAttention) for block in blocks)
    assert all(isinstance(block.attn2.processor, PromptCrossAttention) for block in blocks)


def test_the_golden_tensors_of_the_official_code_come_out(golden):
    modules = load_modules(find_folders(golden))
    inputs, outputs = (load_file(golden / f"{n}.safetensors") for n in ("inputs", "outputs"))
    assert (modules.prompt_embeds - inputs["prompt_embeds"]).abs().max() <= 5e-5
    source, background = (
        modules.vae_encoder(to_network(inputs[f"{name}_u8"] / 255)) for name in ("source", "bg")
    )
    assert (source - outputs["source_latents"]).abs().max() <= 1e-5
    for index, feature in enumerate(modules.id_encoder.features(source)):
        assert (feature - outputs[f"id_feat_{index:02d}"]).abs().max() <= 5e-5
    au = inputs["au"].float()
    both_au = torch.cat([au, torch.zeros_like(au)])
    latents = torch.cat([inputs["latents_init"]] * 2)
    id_kv = modules.id_encoder(source)
    for t in (999, 500, 21):
        eps = modules.denoiser(
            latents, torch.cat([background] * 2), torch.tensor(t), both_au, id_kv
        )
        assert (eps - outputs[f"deno_t{t:04d}"]).abs().max() <= 1e-5

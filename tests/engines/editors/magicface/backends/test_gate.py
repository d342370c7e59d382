"""The accuracy gate of plans: good networks in half precision pass it, changed ones do not.

A plan is stood for by torch in that precision, which rounds after every operation.
"""

import pytest
import torch

from engines.devices.precision import DTYPES
from engines.editors.magicface.backends.components import flat_module, sample_inputs
from engines.editors.magicface.backends.ports import COMPONENTS, PORTS
from engines.editors.magicface.folders import find_folders
from engines.editors.magicface.model.attention import IDSelfAttention
from engines.editors.magicface.model.torch_networks import load_modules
from engines.editors.magicface.model.unet import transformer_blocks
from engines.trt.accuracy import compare
from engines.trt.proof import GoldenSample
from tests.engines.editors.magicface.tiny import make_weights

FIXED_ONCE = {"fp16": 5e-3, "bf16": 4e-2}
"""The bounds that were the same for every network."""


def _sample(component, modules, dtype):
    inputs = sample_inputs(component, modules, batch=1, dtype=DTYPES[dtype])
    return GoldenSample.of(PORTS[component], flat_module(component, modules), inputs, dtype)


def _answer(component, modules, sample):
    ports, flat = PORTS[component], flat_module(component, modules)
    with torch.no_grad():
        given = flat(*(sample.inputs[name] for name in ports.inputs))
    return dict(zip(ports.outputs, given if isinstance(given, tuple) else (given,), strict=True))


def _judged(component, modules, sample):
    found = _answer(component, modules, sample)
    return compare(component, "torch", found, sample.outputs, sample.bound)


@pytest.mark.parametrize("dtype", FIXED_ONCE)
@pytest.mark.parametrize("component", COMPONENTS)
def test_the_official_networks_pass_in_half_precision(golden, component, dtype):
    modules = load_modules(find_folders(golden), dtype=DTYPES[dtype])
    verdict = _judged(component, modules, _sample(component, modules, dtype))
    assert verdict.holds, verdict


@pytest.fixture(scope="module", params=range(2))
def realistic(request, tmp_path_factory):
    """Seeded weights with attention that prefers some tokens, as trained ones have."""
    folder = tmp_path_factory.mktemp("realistic") / "weights"
    return find_folders(make_weights(folder, request.param, channels=(32, 64, 96, 64)))


def test_networks_of_a_realistic_scale_pass_where_a_fixed_bound_refused_them(realistic):
    beyond = 0
    for dtype, fixed in FIXED_ONCE.items():
        modules = load_modules(realistic, dtype=DTYPES[dtype])
        for component in COMPONENTS:
            verdict = _judged(component, modules, _sample(component, modules, dtype))
            assert verdict.holds, f"{dtype} {verdict}"
            beyond += verdict.error > fixed
    assert beyond > 0


def _foreign_norm(modules):
    blocks = transformer_blocks(modules.id_encoder.features.unet)
    modules.id_encoder.projection.norms[4] = blocks[4].norm1


def _foreign_keys(modules):
    blocks = transformer_blocks(modules.id_encoder.features.unet)
    modules.id_encoder.projection.keys[9] = blocks[9].attn1.to_k


def _foreign_values(modules):
    blocks = transformer_blocks(modules.id_encoder.features.unet)
    modules.id_encoder.projection.values[0] = blocks[0].attn1.to_v


def _no_norm(modules):
    modules.id_encoder.projection.norms[15] = torch.nn.Identity()


class _Blind(IDSelfAttention):
    def __call__(self, *inputs, **named):
        return super().__call__(*inputs, **(named | {"id_kv": ()}))


def _no_identity(modules):
    transformer_blocks(modules.denoiser.unet)[5].attn1.set_processor(_Blind(5))


def _deaf_to_aus(modules):
    modules.denoiser.unet.class_embedding.weight.zero_()


def _no_au_bias(modules):
    modules.denoiser.unet.class_embedding.bias.zero_()


def _shifted_latents(modules):
    modules.vae_encoder.quant_conv.bias.add_(0.05)


def _unscaled_pixels(modules):
    modules.vae_decoder.decoder.conv_out.weight.mul_(1.05)


CHANGES = {
    "another norm1 in one block": ("id_encoder", _foreign_norm),
    "other keys in one block": ("id_encoder", _foreign_keys),
    "other values in one block": ("id_encoder", _foreign_values),
    "no norm1 in one block": ("id_encoder", _no_norm),
    "no identity in one block": ("denoiser", _no_identity),
    "no AUs": ("denoiser", _deaf_to_aus),
    "no bias in the AU layer": ("denoiser", _no_au_bias),
    "latents off by a little": ("vae_encoder", _shifted_latents),
    "contrast off by 5 %": ("vae_decoder", _unscaled_pixels),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_network_fails_in_fp16(golden, change):
    component, apply = CHANGES[change]
    modules = load_modules(find_folders(golden), dtype=torch.float16)
    sample = _sample(component, modules, "fp16")
    with torch.no_grad():
        apply(modules)
    verdict = _judged(component, modules, sample)
    assert not verdict.holds, verdict

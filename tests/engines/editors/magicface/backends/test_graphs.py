"""Exported graphs agree with torch: the golden networks in fp32, real head dimensions in fp16."""

from collections import Counter

import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

from engines.editors.magicface.backends import ports
from engines.editors.magicface.backends.backends import make_networks
from engines.editors.magicface.backends.build_request import opset_for
from engines.editors.magicface.backends.choose import Machine
from engines.editors.magicface.backends.components import flat_module, sample_inputs
from engines.editors.magicface.backends.plan_builder import PlanBuilder
from engines.editors.magicface.backends.ports import COMPONENTS, PORTS
from engines.editors.magicface.folders import find_folders
from engines.editors.magicface.model.torch_networks import load_modules
from engines.editors.magicface.model.unet import transformer_blocks
from engines.errors import EngineError, EngineUnavailableError
from engines.trt.accuracy import FP32_BOUND, compare, reference_outputs
from engines.trt.binding import import_binding
from engines.trt.errors import AccuracyError
from engines.trt.network import GRAPH_FILE, SAMPLE_FILE
from engines.trt.onnx_session import OnnxSession
from engines.trt.proof import GoldenSample, check_sample, widen_graph
from engines.trt.store.cache import PlanCache
from tests.engines.editors.magicface.backends.stores import GOLDEN, request_for

pytestmark = pytest.mark.timeout(900)  # the first test waits for the exports
CPU = Machine(versions={"onnxruntime": "1.32.0"})


@pytest.fixture(scope="module")
def golden():
    """Official tensors by name, inputs and outputs together."""
    if not GOLDEN.is_dir():
        pytest.skip("no ../shared/golden beside this checkout")
    return load_file(GOLDEN / "inputs.safetensors") | load_file(GOLDEN / "outputs.safetensors")


@pytest.fixture(scope="module")
def golden_modules():
    if not GOLDEN.is_dir():
        pytest.skip("no ../shared/golden beside this checkout")
    return load_modules(find_folders(GOLDEN))


@pytest.fixture(scope="module")
def small_modules(small_weights):
    return load_modules(find_folders(small_weights), dtype=torch.float16)


@pytest.fixture(scope="module")
def golden_networks(golden_store):
    said = []
    found, choice = make_networks(
        find_folders(GOLDEN),
        backend="onnxruntime",
        frames=2,
        machine=CPU,
        cache=golden_store,
        say=said.append,
    )
    return found, choice, said


def _graph(store, weights, component):
    rtx = import_binding("tensorrt-rtx")
    return PlanBuilder(request_for(weights, sm=89), rtx, store).graph(component)


def _largest_error(found, expected):
    return float((found - expected).abs().max() / max(1.0, float(expected.abs().max())))


def test_the_names_agree_with_the_protocols():
    assert PORTS["denoiser"].inputs[PORTS["denoiser"].variadic_from :] == ports.KV_NAMES
    assert PORTS["id_encoder"].outputs == ports.KV_NAMES
    assert ports.KV_NAMES[:3] == ("id_key_00", "id_value_00", "id_key_01")
    assert len(ports.KV_NAMES) == 32


def test_there_are_as_many_keys_and_values_as_transformer_blocks(golden_modules):
    assert len(transformer_blocks(golden_modules.denoiser.unet)) == ports.BLOCKS


@pytest.mark.slow
@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("batch", [1, 3])
def test_a_golden_graph_agrees_with_torch_at_other_batches_than_it_was_exported_at(
    golden_store, golden_modules, component, batch
):
    entry = PlanBuilder(request_for(GOLDEN, dtype="fp32"), None, golden_store).graph(component)
    assert not entry.made_now
    inputs = sample_inputs(component, golden_modules, batch=batch, dtype=torch.float32, seed=1)
    ports = PORTS[component]
    reference = reference_outputs(ports, flat_module(component, golden_modules), inputs)
    found = OnnxSession(entry.entry.path(GRAPH_FILE))(inputs)
    accuracy = compare(component, "onnxruntime", found, reference, FP32_BOUND)
    assert accuracy.holds, accuracy


@pytest.mark.slow
def test_the_editor_gets_official_numbers_from_onnxruntime(golden, golden_networks):
    found, _, _ = golden_networks
    images = golden["source_u8"].float() / 127.5 - 1
    latents = found.codec.encode(images)
    assert _largest_error(latents, golden["source_latents"]) < 1e-5
    id_kv = found.id_encoder(golden["source_latents"])
    au = torch.cat([golden["au"], torch.zeros_like(golden["au"])]).float()
    twice = [torch.cat([golden[name]] * 2) for name in ("latents_init", "bg_latents")]
    for timestep in (21, 500, 999):
        eps = found.denoiser(*twice, torch.tensor(timestep), au, id_kv)
        assert _largest_error(eps, golden[f"deno_t{timestep:04d}"]) < 5e-5
    final = golden["latents_n10_g3.0"][:, -1] / found.codec.scaling_factor
    assert _largest_error(found.codec.decode(final), golden["decoded_n10_g3.0"]) < 5e-5


@pytest.mark.slow
def test_without_guidance_the_same_graph_serves_single_rows(golden, golden_networks):
    found, _, _ = golden_networks
    id_kv = found.id_encoder(golden["source_latents"])
    rows = (golden["latents_init"], golden["bg_latents"], torch.tensor(500))
    eps = found.denoiser(*rows, golden["au"].float(), id_kv)
    assert _largest_error(eps, golden["deno_t0500"][:2]) < 5e-5


@pytest.mark.slow
def test_what_runs_and_why_is_told(golden_networks):
    found, choice, said = golden_networks
    assert choice.backend == "onnxruntime"
    told, gate = found.runs_on.split("; beside torch at worst ")
    assert told == "onnxruntime fp32 on cpu (asked for by name; no CUDA GPU"
    assert "≤ 5.0e-05" in gate
    assert found.image_size == 128
    gates = [line for line in said if line.startswith("accuracy: ")]
    assert [line.split()[1] for line in gates] == list(COMPONENTS)
    assert all("≤ 5.0e-05" in line for line in gates)


@pytest.mark.parametrize("component", COMPONENTS)
def test_real_head_dimensions_in_fp16_stay_within_what_rounding_does(
    small_store, small_weights, small_modules, component
):
    entry = _graph(small_store, small_weights, component).entry
    inputs = sample_inputs(component, small_modules, batch=3, dtype=torch.float16, seed=3)
    flat = flat_module(component, small_modules)
    reference = reference_outputs(PORTS[component], flat, inputs)
    found = OnnxSession(entry.path(GRAPH_FILE))(inputs)
    bound = GoldenSample.read(entry.path(SAMPLE_FILE)).bound
    accuracy = compare(component, "onnxruntime", found, reference, bound)
    assert accuracy.holds, accuracy
    assert accuracy.bound < 0.02


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_graph_computes_what_torch_does_to_the_last_digits_of_fp32(
    small_store, small_weights, small_modules, component, tmp_path
):
    """Its fp16 values widened: what is left is the order of sums. Exported at 2, run at 3 rows."""
    path = _graph(small_store, small_weights, component).entry.path(GRAPH_FILE)
    inputs = sample_inputs(component, small_modules, batch=3, dtype=torch.float16, seed=1)
    reference = reference_outputs(PORTS[component], flat_module(component, small_modules), inputs)
    session = OnnxSession(widen_graph(path, tmp_path, "fp16"))
    wide = {n: t.float() if t.is_floating_point() else t for n, t in inputs.items()}
    accuracy = compare(component, "onnxruntime", session(wide), reference, FP32_BOUND)
    assert accuracy.holds, accuracy


def test_attention_and_group_norm_stay_whole_in_the_denoiser(small_store, small_weights):
    path = _graph(small_store, small_weights, "denoiser").entry.path(GRAPH_FILE)
    model = onnx.load(str(path), load_external_data=False)
    counted = Counter(node.op_type for node in model.graph.node)
    assert counted["Attention"] == 32
    assert counted["GroupNormalization"] == 61
    assert counted["Softmax"] == 0


def test_the_vae_spells_its_attention_out_because_no_kernel_has_such_heads(
    small_store, small_weights
):
    path = _graph(small_store, small_weights, "vae_decoder").entry.path(GRAPH_FILE)
    model = onnx.load(str(path), load_external_data=False)
    counted = Counter(node.op_type for node in model.graph.node)
    assert counted["Attention"] == 0
    assert counted["GroupNormalization"] > 0
    assert opset_for("vae_decoder", None) == 22
    assert opset_for("denoiser", None) == 23


def test_a_graph_holds_nothing_of_the_machine_it_was_made_on(small_store, small_weights):
    for component in COMPONENTS:
        path = _graph(small_store, small_weights, component).entry.path(GRAPH_FILE)
        model = onnx.load(str(path), load_external_data=False)
        assert not any(node.metadata_props for node in model.graph.node)
        assert b"site-packages" not in path.read_bytes()


def test_a_graph_of_other_weights_does_not_pass_the_gate(small_store, small_weights, tmp_path):
    entry = _graph(small_store, small_weights, "vae_encoder").entry
    sample = GoldenSample.read(entry.path(SAMPLE_FILE))
    worse = {"latents": sample.outputs["latents"] + 0.1}
    GoldenSample(sample.inputs, worse, sample.bound).write(tmp_path / "s")
    session = OnnxSession(entry.path(GRAPH_FILE))
    with pytest.raises(AccuracyError, match=r"accuracy gate: vae_encoder onnxruntime: .* exceeds"):
        check_sample("vae_encoder", session, "onnxruntime", tmp_path / "s")


def test_onnxruntime_without_cuda_is_refused_before_anything_is_exported(small_weights, tmp_path):
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with pytest.raises(
        EngineUnavailableError, match=r"CUDAExecutionProvider is not in .*device=cpu"
    ):
        make_networks(
            find_folders(small_weights),
            backend="onnxruntime",
            device="cuda",
            machine=Machine("NVIDIA L4", 89, CPU.versions),
            cache=PlanCache(tmp_path),
        )
    assert not list(tmp_path.iterdir())


def test_onnxruntime_refuses_bf16_by_name(small_weights, tmp_path):
    with pytest.raises(EngineError, match="got dtype bf16; expected fp32 or fp16"):
        make_networks(
            find_folders(small_weights),
            backend="onnxruntime",
            dtype="bf16",
            machine=CPU,
            cache=PlanCache(tmp_path),
        )

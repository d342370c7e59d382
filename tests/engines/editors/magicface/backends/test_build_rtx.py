"""TensorRT for RTX really builds here: all four networks, two GPU generations, without a GPU."""

import onnx
import pytest
import torch
from onnx import TensorProto, helper

from engines.editors.magicface.backends.plan_builder import PlanBuilder
from engines.editors.magicface.backends.ports import COMPONENTS
from engines.errors import EngineError
from engines.trt.binding import RTX_SMS, import_binding
from engines.trt.build import build_plan
from engines.trt.errors import PlanBuildError, StalePlanError
from engines.trt.network import GRAPH_FILE, PLAN_FILE, SAMPLE_FILE
from engines.trt.runtime import TrtSession
from engines.trt.store.cache import PlanCache
from engines.trt.store.entry import SIDECAR
from engines.trt.store.key import BatchProfile, StoreKey
from tests.engines.editors.magicface.backends import stores
from tests.engines.editors.magicface.backends.stores import request_for

pytest.importorskip("tensorrt_rtx")
pytestmark = pytest.mark.timeout(900)  # the first test waits for the exports


@pytest.fixture(scope="module")
def rtx():
    return import_binding("tensorrt-rtx")


def _attention(path, dtype, head_dim):
    shape = ["batch", 2, 64, head_dim]
    names = ("query", "key", "value")
    inputs = [helper.make_tensor_value_info(n, dtype, shape) for n in names]
    output = helper.make_tensor_value_info("mixed", dtype, shape)
    node = helper.make_node("Attention", list(names), ["mixed"])
    graph = helper.make_graph([node], "attention", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)])
    model.ir_version = 10
    path.parent.mkdir(exist_ok=True)
    onnx.save(model, str(path))
    return path


def _check_plans(made, sm):
    assert set(made) == set(COMPONENTS)
    for component, done in made.items():
        entry = done.entry
        assert entry.facts["target"] == f"sm{sm}"
        assert entry.facts["backend"] == "tensorrt-rtx"
        assert entry.files[PLAN_FILE][0] > 1_000_000, component
        assert SAMPLE_FILE in entry.files
        assert entry.made["accuracy"] == f"not run: no SM{sm} GPU on the machine that built it"


def test_all_four_networks_are_built_for_a_gpu_that_is_not_here(built):
    _check_plans(built, 89)


@pytest.mark.slow
def test_all_four_networks_are_built_for_another_generation_too():
    _check_plans(stores.built(120), 120)


def test_the_graphs_of_one_generation_serve_another(rtx, small_store, small_weights):
    builder = PlanBuilder(request_for(small_weights, sm=120), rtx, small_store)
    graph = builder.graph("vae_encoder")
    assert not graph.made_now
    assert builder.plan("vae_encoder", graph.entry).entry.facts["target"] == "sm120"


def test_what_was_built_is_found_again_in_less_than_a_second(
    built, rtx, small_store, small_weights
):
    for done in PlanBuilder(request_for(small_weights, sm=89), rtx, small_store).run():
        assert not done.made_now
        assert done.seconds < 1
        small_store.load(StoreKey(done.entry.kind, done.entry.component, done.entry.facts))


@pytest.mark.parametrize(
    ("fact", "value"), [("backend_version", "1.6.0"), ("target", "sm86"), ("weights_sha256", "0")]
)
def test_a_plan_of_another_version_target_or_weights_is_refused(built, small_store, fact, value):
    facts = built["vae_encoder"].entry.facts
    with pytest.raises(StalePlanError, match=f"{fact} is .*, asked {value}; rebuild with"):
        small_store.load(StoreKey("plan", "vae_encoder", {**facts, fact: value}))


def test_a_plan_with_a_changed_byte_is_refused(built, small_store, tmp_path):
    entry = built["vae_encoder"].entry
    copied = PlanCache(tmp_path)
    copied.install(entry.folder.name, small_store.pack(entry.folder.name))
    plan = copied.root / entry.folder.name / PLAN_FILE
    content = bytearray(plan.read_bytes())
    content[len(content) // 2] ^= 255
    plan.write_bytes(content)
    with pytest.raises(StalePlanError, match=r"network.plan has SHA-256"):
        copied.load(StoreKey("plan", "vae_encoder", entry.facts))


def test_a_copy_for_another_machine_is_checked_when_it_arrives(built, small_store, tmp_path):
    name = built["vae_encoder"].entry.folder.name
    packed = small_store.pack(name)
    assert PlanCache(tmp_path).install(name, packed)
    assert not PlanCache(tmp_path).install(name, packed)
    torn = packed | {PLAN_FILE: packed[PLAN_FILE][:-1]}
    with pytest.raises(StalePlanError, match=r"network.plan has .* bytes, its sidecar says"):
        PlanCache(tmp_path / "other").install(name, torn)
    assert PlanCache(tmp_path / "other").entries() == []
    without = {n: c for n, c in packed.items() if n != SIDECAR}
    with pytest.raises(StalePlanError, match=r"entry\.json cannot be read"):
        PlanCache(tmp_path / "other").install(name, without)


def test_progress_is_told_while_it_builds(built, rtx, small_store):
    graph = built["vae_encoder"].entry.facts["graph_sha256"]
    entry = next(e for e in small_store.entries() if e.files.get(GRAPH_FILE, (0, ""))[1] == graph)
    told = []
    plan = build_plan(
        rtx,
        entry.path(GRAPH_FILE),
        sm=75,
        batch=BatchProfile(1, 2, 3),
        progress=lambda phase, share: told.append((phase, share)),
    )
    assert plan.nbytes > 1_000_000
    shares = [share for phase, share in told if phase == "Building engine"]
    assert shares[0] == 0.0
    assert shares[-1] == 1.0


def test_hopper_is_refused_with_what_rtx_targets(rtx, small_weights, small_store):
    with pytest.raises(PlanBuildError) as caught:
        PlanBuilder(request_for(small_weights, sm=90), rtx, small_store)
    assert str(caught.value) == (
        f"target SM90: {rtx.label} targets 75, 80, 86, 89, 120, 121; "
        "use backend tensorrt or compile there"
    )


def test_the_generations_told_without_the_library_are_the_library_s_own(rtx):
    assert rtx.targets() == RTX_SMS
    assert rtx.is_rtx


def test_a_failed_build_carries_the_logger_s_reason_in_one_line(rtx, tmp_path):
    path = _attention(tmp_path / "odd" / "model.onnx", TensorProto.FLOAT, 40)
    with pytest.raises(PlanBuildError) as caught:
        build_plan(rtx, path, sm=89, batch=BatchProfile(1, 1, 1))
    text = str(caught.value)
    assert text.startswith(f"{rtx.label} could not build odd for SM89: ")
    assert "dedicated kernel" in text
    assert "\n" not in text


def test_a_file_that_is_no_graph_is_refused_with_the_parser_s_reason(rtx, tmp_path):
    path = tmp_path / "odd" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(b"not a graph")
    with pytest.raises(PlanBuildError, match=r"could not build odd for SM89: .+") as caught:
        build_plan(rtx, path, sm=89, batch=BatchProfile(1, 1, 1))
    assert "\n" not in str(caught.value)


def test_an_plan_in_fp32_and_an_odd_size_are_refused(small_weights):
    with pytest.raises(EngineError, match="plans in fp32: got fp32, expected fp16 or bf16"):
        request_for(small_weights, sm=89, dtype="fp32")
    with pytest.raises(EngineError, match="image size 500: expected a positive multiple of 64"):
        request_for(small_weights, image_size=500)
    with pytest.raises(EngineError, match="no dtype 'int8'; known: fp32, fp16, bf16"):
        request_for(small_weights, dtype="int8")


def test_the_real_rtx_says_that_there_is_no_driver(built, rtx):
    if torch.cuda.is_available():
        pytest.skip("there is a driver here")
    plan = built["vae_encoder"].entry.path(PLAN_FILE)
    with pytest.raises(PlanBuildError, match=r"TensorRT-RTX .* cannot load .*network.plan: .+"):
        TrtSession(rtx, plan, device="cpu")

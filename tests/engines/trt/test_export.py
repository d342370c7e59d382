"""Any network by its ports: exported, run by onnxruntime, refused in one line."""

import pytest
import torch

from engines.errors import EngineError, EngineUnavailableError
from engines.trt.errors import PlanBuildError
from engines.trt.export import export_graph
from engines.trt.network import GRAPH_FILE, NetworkPorts
from engines.trt.onnx_session import OnnxSession
from engines.trt.store.key import graph_key
from tests.engines.trt.small_network import PORTS, inputs_of, module

FACTS = {
    "weights_sha256": "aa",
    "recipe": "1",
    "opset": 23,
    "dtype": "fp16",
    "sizes": {"side": "8"},
}


@pytest.mark.parametrize("batch", [1, 3])
def test_a_graph_takes_other_batches_than_it_was_exported_at(graph, batch):
    inputs = inputs_of(batch, seed=5)
    found = OnnxSession(graph.path(GRAPH_FILE))(inputs)["latents"]
    torch.testing.assert_close(found, module()(*inputs.values()), atol=5e-3, rtol=0)


def test_wrong_shapes_and_dtypes_are_refused_with_what_is_expected(graph):
    session, inputs = OnnxSession(graph.path(GRAPH_FILE)), inputs_of(1)
    with pytest.raises(EngineError) as caught:
        session(inputs | {"images": torch.zeros(1, 3, 64, 64, dtype=torch.float16)})
    assert str(caught.value) == (
        "input images: got torch.float16 (1, 3, 64, 64); "
        "expected torch.float16 ('batch', 3, 16, 16)"
    )
    with pytest.raises(EngineError, match=r"got torch.float32 \(1, 3, 16, 16\)"):
        session(inputs | {"images": inputs["images"].float()})


def test_a_file_that_is_no_graph_is_refused_in_one_line(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(PlanBuildError, match="onnxruntime cannot load") as caught:
        OnnxSession(tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)


def test_an_export_that_fails_says_which_and_why(tmp_path):
    class Branches(torch.nn.Module):
        def forward(self, images):
            return images if images.sum() > 0 else -images

    ports = NetworkPorts("branches", ("images",), ("images_out",))
    sample = {"images": torch.zeros(2, 3, 8, 8)}
    with pytest.raises(PlanBuildError, match="export of the branches at opset 22: ") as caught:
        export_graph(ports, Branches(), sample, tmp_path, opset=22)
    assert "\n" not in str(caught.value)


def test_another_version_of_a_library_makes_another_graph(monkeypatch):
    before = graph_key(PORTS, **FACTS, libraries=("diffusers",))
    monkeypatch.setattr("importlib.metadata.version", lambda name: f"{name} 99")
    after = graph_key(PORTS, **FACTS, libraries=("diffusers",))
    changed = after.differences(before.facts)
    assert {text.split()[0] for text in changed} == {"torch", "diffusers", "onnx", "onnxscript"}


@pytest.mark.parametrize("fact", ["weights_sha256", "recipe", "opset", "dtype", "sizes"])
def test_every_fact_makes_another_graph(fact):
    other = {"side": "16"} if fact == "sizes" else "other"
    assert graph_key(PORTS, **FACTS).name != graph_key(PORTS, **(FACTS | {fact: other})).name


def test_a_package_that_graphs_need_is_named_where_it_is_absent():
    with pytest.raises(EngineUnavailableError) as caught:
        graph_key(PORTS, **FACTS, libraries=("no-such-package",))
    assert str(caught.value) == (
        "no-such-package not installed, which graphs are exported with; pip install 'aureel[onnx]'"
    )

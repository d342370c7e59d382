"""An editor that began without plans, and what it does when they come; the libraries are fakes."""

import sys

import pytest

from engines.editors.magicface.backends import backends
from engines.editors.magicface.backends.arrivals import have_come
from engines.editors.magicface.backends.choose import Machine
from engines.editors.magicface.backends.plan_builder import PlanBuilder
from engines.editors.magicface.editor import MagicFaceEditor
from engines.trt.store.lock import build_lease
from tests.engines.editors.magicface.backends.stores import request_on_l4
from tests.engines.trt.fake_tensorrt import fake_binding

pytestmark = pytest.mark.timeout(900)  # the first test waits for the exports
ON_H100 = ("NVIDIA H100", 90)


@pytest.fixture
def editor_on(monkeypatch, store, small_weights):
    """Makes an editor of two frames on a pretended GPU, with `auto`."""
    monkeypatch.setattr(backends, "PlanCache", lambda: store)

    def make(binding, gpu, sm):
        module = "tensorrt_rtx" if binding.is_rtx else "tensorrt"
        monkeypatch.setitem(sys.modules, module, binding.trt)
        machine = Machine(gpu, sm, {binding.name: binding.version})
        monkeypatch.setattr(backends, "probe_machine", lambda _: machine)
        return MagicFaceEditor(weights=str(small_weights), dtype="fp16", batch=2, steps=1)

    return make


def test_plans_that_came_are_served_by_the_next_editor_and_not_before(
    editor_on, store, small_weights
):
    binding = fake_binding("tensorrt-rtx-1.7")
    before = editor_on(binding, "NVIDIA L4", 89)
    assert "torch eager" in before.description
    assert not before.is_outdated()
    builder = PlanBuilder(request_on_l4(small_weights), binding, store, proved_on_gpu=True)
    made = list(builder.run())
    assert before.is_outdated()
    before.close()
    after = editor_on(binding, "NVIDIA L4", 89)
    assert binding.label in after.description
    assert not after.is_outdated()
    assert len(made) == 8
    binding.trt.faults.spoil = 0.5
    refused = editor_on(binding, "NVIDIA L4", 89)
    assert "torch eager" in refused.description
    assert "accuracy gate" in refused.description
    assert not refused.is_outdated(), "what is refused is not tried again at every segment"


def test_an_actor_builds_classic_plans_of_graphs_that_a_task_made_and_another_goes_on(
    editor_on, store
):
    binding = fake_binding("tensorrt-11.4")
    first = editor_on(binding, *ON_H100)
    assert binding.label in first.description
    assert sum("made" in line and "plan" in line for line in first.startup_log) == 4
    assert {e.facts["target"] for e in store.entries() if e.kind == "plan"} == {"sm90 NVIDIA H100"}
    request = first._networks.is_outdated.args[0].build_request(plans=True)
    plan = next(e for e in store.entries() if e.kind == "plan" and e.component == "denoiser")
    plan.path("network.plan").unlink()
    with build_lease(store.lock_of(plan.folder.name)):
        second = editor_on(binding, *ON_H100)
        assert "torch eager" in second.description
        assert "being built by another process" in second.description
        assert not second.is_outdated()
    assert have_come(request, "tensorrt", store)
    assert second.is_outdated(), "whoever built them is gone, and the graphs are here"

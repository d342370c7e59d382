"""What a dry run says of TensorRT plans, on machines that are pretended, over real stores."""

import shutil

import pytest

from engines.editors.magicface.backends import readiness
from engines.editors.magicface.backends.build_request import graph_key_of, plan_key_of, wanted_by
from engines.editors.magicface.backends.builders import targeted
from engines.editors.magicface.backends.choose import Machine
from engines.editors.magicface.backends.ports import COMPONENTS
from engines.editors.magicface.backends.readiness import plans_here, plans_told
from engines.editors.magicface.settings import resolved
from engines.errors import EngineUnavailableError
from engines.trt.network import GRAPH_FILE, PLAN_FILE, SAMPLE_FILE
from engines.trt.store.cache import PlanCache
from tests.engines.trt.fake_tensorrt import fake_binding

ADA = Machine("NVIDIA L4", 89, {"tensorrt-rtx": "1.7.1.116", "compile": "3.5"})
HOPPER = Machine("NVIDIA H100", 90, {"tensorrt": "11.4", "compile": "3.5"})
FAKES = {"tensorrt": "tensorrt-11.4", "tensorrt-rtx": "tensorrt-rtx-1.7"}


@pytest.fixture(autouse=True)
def _bindings(monkeypatch):
    monkeypatch.setattr(readiness, "import_binding", lambda name: fake_binding(FAKES[name]))


@pytest.fixture
def store(tmp_path):
    return PlanCache(tmp_path / "plans")


def asked(weights, **more):
    return resolved(weights=str(weights), batch=2, **more)


def put(store, settings, machine, components, kinds=("graph", "plan"), seconds=None):
    """Entries under the very keys that a build would give them; their bytes mean nothing."""
    name = "tensorrt-rtx" if machine is ADA else "tensorrt"
    request, binding = targeted(wanted_by(settings), name, machine.sm, machine), None
    binding = fake_binding(FAKES[name])

    def make(*files):
        def written(folder):
            for file in files:
                (folder / file).write_bytes(b"made")
            return {"wall_s": str(seconds)} if seconds else {}

        return written

    for component in components:
        key = graph_key_of(request, component, binding)
        graph, _ = store.make_once(key, make(GRAPH_FILE, SAMPLE_FILE))
        if "plan" in kinds:
            store.make_once(plan_key_of(request, component, binding, graph), make(PLAN_FILE))
        if "graph" not in kinds:
            shutil.rmtree(graph.folder)


def test_without_a_gpu_no_plan_is_wanted_and_why(tiny_weights):
    told = plans_here(asked(tiny_weights, device="cpu"))
    assert told == "none wanted: auto: no CUDA GPU on this machine, so torch on the CPU"


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"backend": "eager"}, "asked for by name; GPU NVIDIA L4 (SM89)"),
        ({"dtype": "fp32"}, "plans are fp16 or bf16; got fp32"),
        ({"cache_steps": 2}, "it has no denoiser in parts"),
    ],
)
def test_settings_that_use_no_plan_say_so(tiny_weights, store, how, why):
    told = plans_told(asked(tiny_weights, **how), ADA, store)
    assert told.startswith("none wanted: ")
    assert why in told


@pytest.mark.parametrize("machine", [ADA, HOPPER])
def test_what_is_there_and_what_would_be_built_is_told_for_this_gpu(tiny_weights, store, machine):
    settings = asked(tiny_weights)
    told = plans_told(settings, machine, store)
    assert f"for {machine.label}: 0 of 4 there; {', '.join(COMPONENTS)} would be built" in told
    assert "about 12 min where that was measured" in told
    put(store, settings, machine, COMPONENTS[:2])
    put(store, settings, machine, COMPONENTS[2:3], kinds=("plan",))
    assert f"3 of 4 there; {COMPONENTS[3]} would be built" in plans_told(settings, machine, store)
    other = Machine("NVIDIA A10", 86, machine.versions)
    assert "0 of 4 there" in plans_told(asked(tiny_weights), other, store)
    put(store, settings, machine, COMPONENTS)
    assert plans_told(settings, machine, store).endswith(f"4 of 4 there, in {store.root}")


def test_building_takes_what_it_took_here_before(tiny_weights, store):
    settings = asked(tiny_weights)
    put(store, settings, HOPPER, COMPONENTS, seconds=0)
    before = plans_told(settings, ADA, store)
    for entry in store.entries():
        shutil.rmtree(entry.folder)
    put(store, settings, HOPPER, COMPONENTS[:1], seconds=61)
    after = plans_told(settings, ADA, store)
    assert "by what was built here before" in before
    assert "about 23 min by what was built here before" in after, "2 × (735 − 54) s"


def test_what_cannot_be_built_says_why_and_what_the_run_takes(tiny_weights, store, monkeypatch):
    def absent(name):
        raise EngineUnavailableError(f"backend {name!r}: cannot be imported")

    monkeypatch.setattr(readiness, "import_binding", absent)
    told = plans_told(asked(tiny_weights), ADA, store)
    assert told.startswith("cannot be built: backend 'tensorrt-rtx': cannot be imported")
    assert told.endswith("; the run takes compile")

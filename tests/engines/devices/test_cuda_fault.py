"""A GPU that torch cannot use: what is said of it, and who refuses to go on without it."""

from dataclasses import replace

import pytest

from engines.choice import Engine
from engines.devices.cuda_fault import cuda_fault, explain
from engines.errors import EngineUnavailableError
from pipeline import actors


@pytest.mark.parametrize(
    ("torch", "cuda", "driver", "text"),
    [
        (
            "2.13.0+cpu",
            None,
            "580.65.06",
            "a build without CUDA (the NVIDIA driver is 580.65.06); inst",
        ),
        (
            "2.13.0",
            "13.0",
            "535.104.05",
            "which needs driver 580 or newer; the driver is 535.104.05",
        ),
        (
            "2.9.0",
            "12.8",
            "470.82",
            "which needs driver 525 or newer; the driver is 470.82; update",
        ),
        ("2.9.0", "12.8", None, "no NVIDIA driver is loaded; install it, or pass the GPU into the"),
        (
            "2.9.0",
            "12.8",
            "570.1",
            "but no GPU is usable; check nvidia-smi and CUDA_VISIBLE_DEVICES",
        ),
    ],
)
def test_it_says_what_was_found_and_the_mend(torch, cuda, driver, text):
    said = explain(torch, cuda, driver)
    assert text in said
    assert "\n" not in said


MAGICFACE = Engine(
    "editor", "magicface", "tests.pipeline.hot_editor:HotEditor", {"dtype": "bf16"}, gpu_share=1.0
)


@pytest.fixture
def blind(monkeypatch):
    """A worker that Ray gave a GPU, and whose torch finds none."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr("ray.is_initialized", lambda: True)
    monkeypatch.setattr("ray.get_gpu_ids", lambda: [0])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(actors, "_engines", {})
    monkeypatch.setattr(actors, "_failed", {})
    return monkeypatch


def test_a_worker_with_a_gpu_that_torch_cannot_use_refuses_to_fall_to_the_cpu(blind):
    with pytest.raises(EngineUnavailableError) as caught:
        actors.loaded(MAGICFACE)
    said = str(caught.value)
    assert said.startswith("editor 'magicface': Ray gave this worker a GPU that torch cannot use: ")
    assert cuda_fault() in said
    assert said.endswith("; or run it on the CPU with --device cpu")


def test_an_engine_that_could_not_be_loaded_is_not_loaded_again_by_the_next_segment(blind):
    made = []

    class Broken(Engine):
        def make(self):
            made.append(self.name)
            raise EngineUnavailableError("the plan does not load")

    broken = Broken("editor", "identity", "no:where")
    for _ in range(3):
        with pytest.raises(EngineUnavailableError, match="the plan does not load"):
            actors.loaded(broken)
    assert len(made) == 1


def test_who_was_given_no_gpu_or_wants_none_is_left_alone(blind):
    assert actors.loaded(replace(MAGICFACE, gpu_share=0.0)).dtype == "bf16"
    assert actors.loaded(replace(MAGICFACE, name="tests.pipeline.hot_editor:HotEditor")).crop_size
    blind.setattr("ray.get_gpu_ids", list)
    assert actors.loaded(replace(MAGICFACE, settings={"dtype": "fp16"})).dtype == "fp16"

"""Which engine is taken, with what and why: decided once, before anything runs."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from engines import registry
from engines.choice import resolve
from engines.errors import EngineError, EngineUnavailableError
from engines.registry import Line
from engines.traits import Option, Traits

BATCHES = "tests.fakes:BatchEditor"
TUNED = "tests.fakes:TunedEditor"


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "tuned.bin"
    path.write_bytes(b"one")
    return path


def test_auto_takes_the_first_line_that_can_run_and_says_why_not_those_before():
    taken = resolve("editor", gpus=0)
    assert taken.name == "plate"
    assert not taken.is_preview
    assert resolve("editor", "previz").is_preview
    assert taken.borrows
    assert taken.reason.startswith("not magicface: ")
    assert resolve("tracker", gpus=0).name == resolve("AU estimator", gpus=0).name == "mesh"


def test_a_line_between_two_others_is_tried_between_them(monkeypatch):
    lines = {
        "magicface": registry.EDITORS["magicface"],
        "between": Line(BATCHES),
        **registry.EDITORS,
    }
    monkeypatch.setitem(registry.KINDS, "editor", lines)
    taken = resolve("editor")
    assert taken.name == "between"
    assert taken.crop_size == 128


def test_auto_never_takes_what_only_its_name_may_ask_for(monkeypatch):
    only = {"identity": registry.EDITORS["identity"]}
    monkeypatch.setitem(registry.KINDS, "editor", only)
    with pytest.raises(EngineUnavailableError, match="no editor can run here"):
        resolve("editor")
    assert resolve("editor", "identity").reason == "as asked"


def test_an_engine_on_a_gpu_is_passed_over_by_auto_without_one_and_runs_on_cores_by_name(
    monkeypatch, weights
):
    lines = {"tuned": Line(TUNED), **registry.EDITORS}
    monkeypatch.setitem(registry.KINDS, "editor", lines)
    said = {"weights": str(weights)}
    assert resolve("editor", "auto", said, gpus=0).reason.startswith("not tuned: no GPU here")
    assert resolve("editor", "auto", said, gpus=1).gpu_share == 0.5
    assert resolve("editor", "tuned", said, gpus=0).gpu_share == 0
    assert resolve("editor", "tuned", said, gpus=1).gpu_share == 0.5
    assert resolve("editor", "tuned", {**said, "device": "cpu"}, gpus=1).gpu_share == 0


def test_a_named_engine_that_cannot_run_is_refused_and_never_replaced():
    with pytest.raises(EngineUnavailableError, match="editor 'magicface': "):
        resolve("editor", "magicface")
    with pytest.raises(EngineUnavailableError, match=rf"{TUNED}': no weights file nowhere\.bin"):
        resolve("editor", TUNED, {"weights": "nowhere.bin"})


def test_a_setting_that_the_engine_does_not_take_is_left_out_and_named():
    taken = resolve("editor", "previz", {"steps": 8, "weights": None})
    assert taken.settings == {}
    assert taken.reason == "as asked; it takes no --steps"


def test_a_class_from_outside_says_everything_of_itself(weights):
    taken = resolve("editor", TUNED, {"weights": str(weights), "darkening": 0.25}, gpus=2)
    assert (taken.gpu_share, taken.seconds_per_edit, taken.crop_size) == (0.5, 3.0, 96)
    assert dict(taken.settings) == {"weights": str(weights), "darkening": 0.25}
    assert taken.weights_digest
    weights.write_bytes(b"two")
    assert resolve("editor", TUNED, {"weights": str(weights)}).weights_digest != (
        taken.weights_digest
    )


def test_a_class_from_outside_without_traits_gets_the_settings_that_are_its_keywords():
    own = "engines.editors.identity:IdentityEditor"
    assert resolve("editor", own, {"batch": 2, "steps": 8}).settings == {"batch": 2}


def test_a_choice_reaches_a_worker_whole_and_needs_no_registry_there(monkeypatch, weights):
    monkeypatch.setitem(registry.EDITORS, "tuned", Line(TUNED))
    sent = pickle.dumps(resolve("editor", "tuned", {"weights": str(weights), "darkening": 0.5}))
    monkeypatch.undo()
    made = pickle.loads(sent).make()
    assert made.darkening == 0.5


def test_traits_of_another_type_are_refused_by_name(monkeypatch):
    monkeypatch.setattr("tests.fakes.TunedEditor.traits", {"gpu_share": 1})
    with pytest.raises(EngineError, match=r"TunedEditor': traits are a dict; expected"):
        resolve("editor", TUNED)


@pytest.mark.parametrize("share", [-0.5, 1.5])
def test_a_gpu_share_that_no_actor_can_have_is_refused(share):
    with pytest.raises(EngineError, match=rf"gpu_share {share}; expected 0…1"):
        Traits(gpu_share=share)


def test_an_option_that_no_command_line_can_spell_is_refused():
    with pytest.raises(EngineError, match="option 'two words'"):
        Option("two words", str, "never")


def test_knowing_every_option_imports_no_engine():
    code = (
        "import sys; from engines.registry import KINDS, options_of; "
        "[options_of(kind) for kind in KINDS]; "
        "loaded = {'torch', 'cv2', 'scipy', 'diffusers', 'ai_edge_litert'} & set(sys.modules); "
        "print(sorted(loaded)); assert not loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""Weights of a hub between machines: a name, its commit and a digest, never a machine's path."""

import json
import threading
from pathlib import Path

import pytest

from engines.editors.magicface import folders
from engines.editors.magicface.backends.build_request import BuildRequest
from engines.editors.magicface.backends.cluster import weights as on_nodes
from engines.editors.magicface.editor import MagicFaceEditor
from engines.errors import EngineError
from engines.trt.store.key import BatchProfile
from tests.engines.weights.fake_hub import COMMIT, REPO, FakeHub

pytest.importorskip("huggingface_hub")


@pytest.fixture
def hub(monkeypatch, tiny_weights):
    with FakeHub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        for path in tiny_weights.rglob("*"):
            if path.is_file():
                server.files[str(path.relative_to(tiny_weights))] = path.read_bytes()
        yield server


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Moves to another machine's cache, by its name."""

    def move(name: str) -> Path:
        monkeypatch.setenv("AUREEL_CACHE", str(tmp_path / name))
        return tmp_path / name

    return move


def downloads(server: FakeHub) -> int:
    return sum(m == "GET" and p.endswith(".safetensors") for m, p, _ in server.asked)


def test_another_machine_finds_the_same_weights_by_name_in_its_own_cache(hub, machine):
    driver = machine("driver")
    named = folders.named_weights(REPO, REPO)
    assert named.own == named.base == f"{REPO}@{COMMIT}"
    request = BuildRequest(named.located(), "fp16", 64, BatchProfile(1, 2, 2), named=named)
    sent = request.travelling()
    assert str(driver) not in repr(sent), "nothing of this machine goes along"
    before = downloads(hub)
    node = machine("node")
    there = sent.here()
    assert there.folders.denoiser.is_relative_to(node)
    assert downloads(hub) == 2 * before, "once more, for that machine"
    assert sent.here().folders == there.folders
    assert downloads(hub) == 2 * before


def test_what_an_actor_is_told_names_the_commit(hub, machine):
    machine("driver")
    told = MagicFaceEditor.portable(weights=REPO, base=REPO, steps=3, mask=None)
    assert told == {"weights": f"{REPO}@{COMMIT}", "base": f"{REPO}@{COMMIT}", "steps": 3}
    assert MagicFaceEditor.weights_digest(**told) == MagicFaceEditor.weights_digest(
        weights=REPO, base=REPO, steps=3
    )


def test_a_machine_with_other_weights_under_that_name_is_refused(tiny_weights, tmp_path):
    named = folders.named_weights(tiny_weights)
    assert named.own == str(tiny_weights.absolute())
    assert named.base is None
    config = tmp_path / "scheduler_config.json"
    config.write_text(json.dumps({"beta_end": 0.1}))
    changed = folders.NamedWeights(named.own, named.base, "0" * 64)
    with pytest.raises(EngineError, match=r"this machine's have digest .*the same files on all"):
        changed.located()


def test_a_node_tells_how_far_its_download_is(hub, machine, monkeypatch):
    machine("driver")
    named = folders.named_weights(REPO, REPO)
    machine("node")
    go_on, real = threading.Event(), folders.NamedWeights.located

    def held_back(self):
        assert go_on.wait(60)
        return real(self)

    monkeypatch.setattr(on_nodes, "TELL_EVERY_S", 0.01)
    monkeypatch.setattr(folders.NamedWeights, "located", held_back)
    lines = on_nodes.resolve(named)
    first = next(lines)
    assert first.startswith(f"weights {REPO}@{COMMIT}: 0.00 GB here, 0.0 MB/s, 0 s")
    go_on.set()
    assert list(lines)[-1].startswith(f"weights {REPO}@{COMMIT}: downloaded 0.0")
    assert list(on_nodes.resolve(named))[-1].startswith(f"weights {REPO}@{COMMIT}: found in")

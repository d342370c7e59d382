"""The store: found again by its key, refused when anything differs, whole or absent."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engines.errors import EngineError
from engines.trt.errors import StalePlanError
from engines.trt.network import PLAN_FILE
from engines.trt.store.cache import PlanCache, default_root
from engines.trt.store.entry import SIDECAR
from engines.trt.store.key import BatchProfile, plan_key
from engines.weights.file_hash import read_sha256

ROOT = Path(__file__).resolve().parents[4]
KEY = plan_key(
    "denoiser",
    graph_sha256="aa",
    graph_facts={"weights_sha256": "bb", "dtype": "fp16", "size": "512"},
    backend="tensorrt-rtx",
    backend_version="1.7.1.116",
    target="sm89",
    batch=BatchProfile(1, 8, 8),
)


def _plan(folder):
    (folder / PLAN_FILE).write_bytes(b"plan" * 1000)
    return {"accuracy": "1e-6"}


def _with(**facts):
    return replace(KEY, facts={**KEY.facts, **facts})


def test_what_was_made_once_is_found_again(tmp_path):
    cache = PlanCache(tmp_path)
    entry, made = cache.make_once(KEY, _plan)
    again, made_again = cache.make_once(KEY, _plan)
    assert (made, made_again) == (True, False)
    assert again == entry
    assert cache.find(KEY) == entry
    loaded = cache.load(KEY)
    assert loaded.path(PLAN_FILE).read_bytes() == b"plan" * 1000
    assert loaded.made["accuracy"] == "1e-6"
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == [KEY.name]


@pytest.mark.parametrize("fact", [*KEY.facts])
def test_every_fact_of_the_key_makes_another_entry(tmp_path, fact):
    cache = PlanCache(tmp_path)
    cache.make_once(KEY, _plan)
    other = _with(**{fact: "something else"})
    assert other.digest != KEY.digest
    assert cache.find(other) is None


def test_a_plan_of_another_version_is_refused_with_both_versions(tmp_path):
    cache = PlanCache(tmp_path)
    cache.make_once(_with(backend_version="1.6.0"), _plan)
    with pytest.raises(StalePlanError) as caught:
        cache.load(KEY)
    assert str(caught.value) == (
        f"no tensorrt-rtx plan of the denoiser in {tmp_path} fits: the nearest differs, "
        "backend_version is 1.6.0, asked 1.7.1.116; rebuild with jobs/build_engines.py"
    )


def test_an_empty_store_says_how_to_fill_it(tmp_path):
    with pytest.raises(StalePlanError) as caught:
        PlanCache(tmp_path / "absent").load(KEY)
    assert str(caught.value) == (
        f"no tensorrt-rtx plan of the denoiser in {tmp_path / 'absent'}; "
        "build it with jobs/build_engines.py"
    )


def test_a_sidecar_that_tells_another_key_is_refused(tmp_path):
    cache = PlanCache(tmp_path)
    entry, _ = cache.make_once(KEY, _plan)
    sidecar = entry.path(SIDECAR)
    sidecar.write_text(sidecar.read_text().replace('"target": "sm89"', '"target": "sm120"'))
    with pytest.raises(StalePlanError, match="target is sm120, asked sm89; rebuild with"):
        cache.load(KEY)


def test_one_changed_byte_is_refused_at_load(tmp_path):
    cache = PlanCache(tmp_path)
    entry, _ = cache.make_once(KEY, _plan)
    plan = bytearray(entry.path(PLAN_FILE).read_bytes())
    plan[1234] ^= 1
    entry.path(PLAN_FILE).write_bytes(plan)
    with pytest.raises(StalePlanError, match=r"network.plan has SHA-256 .*, its sidecar says"):
        cache.load(KEY)


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda e: e.path(PLAN_FILE).unlink(), "network.plan is missing, its sidecar says 4000"),
        (lambda e: e.path(PLAN_FILE).write_bytes(b"x"), "network.plan has 1 bytes, its sidecar"),
        (lambda e: e.path(SIDECAR).write_text("{"), "entry.json cannot be read"),
        (lambda e: e.path(SIDECAR).write_text('{"format": 99}'), "sidecar format 99, known: 1"),
        (lambda e: e.path(SIDECAR).write_text('{"format": 1}'), "entry.json cannot be read"),
        (lambda e: e.path(SIDECAR).unlink(), "entry.json cannot be read"),
    ],
)
def test_a_damaged_entry_is_refused_when_found_and_replaced_when_made(tmp_path, damage, text):
    cache = PlanCache(tmp_path)
    entry, _ = cache.make_once(KEY, _plan)
    damage(entry)
    with pytest.raises(StalePlanError, match=text) as caught:
        cache.find(KEY)
    assert "\n" not in str(caught.value)
    _, made = cache.make_once(KEY, _plan)
    assert made
    assert cache.load(KEY).path(PLAN_FILE).stat().st_size == 4000


def test_a_build_that_fails_leaves_nothing_behind(tmp_path):
    def fail(folder):
        _plan(folder)
        raise EngineError("no")

    cache = PlanCache(tmp_path)
    with pytest.raises(EngineError, match="no"):
        cache.make_once(KEY, fail)
    assert list(tmp_path.iterdir()) == []
    assert cache.find(KEY) is None


def test_a_build_that_makes_nothing_is_an_error(tmp_path):
    with pytest.raises(EngineError, match="nothing was made; expected at least one file"):
        PlanCache(tmp_path).make_once(KEY, lambda _: {})


def test_two_callers_at_once_build_once(tmp_path):
    builds = []

    def slow(folder):
        builds.append(1)
        time.sleep(0.5)
        return _plan(folder)

    results = []
    threads = [
        threading.Thread(target=lambda: results.append(PlanCache(tmp_path).make_once(KEY, slow)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(builds) == 1
    assert sorted(made for _, made in results) == [False, False, True]


def test_of_two_builders_whose_lease_overlapped_the_first_published_is_kept(tmp_path):
    cache = PlanCache(tmp_path)

    def overtaken(folder):
        lock = tmp_path / f"{KEY.name}.lock"
        aside = lock.rename(tmp_path / "claim-of-the-one-that-slept")
        first, _ = cache.make_once(KEY, lambda f: _plan(f) | {"accuracy": "of the first"})
        aside.rename(lock)
        assert first.made["accuracy"] == "of the first"
        return _plan(folder) | {"accuracy": "of the second"}

    entry, made = cache.make_once(KEY, overtaken)
    assert not made
    assert entry.made["accuracy"] == "of the first"
    assert [p.name for p in tmp_path.iterdir()] == [KEY.name]


def test_the_sidecar_holds_the_whole_key_and_the_hash(tmp_path):
    entry, _ = PlanCache(tmp_path).make_once(KEY, _plan)
    told = json.loads(entry.path(SIDECAR).read_text())
    assert told["facts"] == dict(KEY.facts)
    sha256 = read_sha256(entry.path(PLAN_FILE))
    assert told["files"] == {"network.plan": {"bytes": 4000, "sha256": sha256}}


def _cli(*args):
    command = [sys.executable, "-m", "engines.trt", *args]
    environment = {**os.environ, "COLUMNS": "160"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_list_shows_entries_and_prune_removes_the_unused_and_the_broken(tmp_path):
    cache = PlanCache(tmp_path)
    cache.make_once(KEY, _plan)
    old, _ = cache.make_once(_with(target="sm120"), _plan)
    os.utime(old.path(SIDECAR), (1, 1))
    torn = tmp_path / f"{KEY.name}.tmp-0"
    torn.mkdir()
    os.utime(torn, (1, 1))
    young = tmp_path / f"{KEY.name}.tmp-1"
    young.mkdir()
    shown = _cli("list", "--cache", str(tmp_path))
    assert "sm89" in shown
    assert "2 entries" in shown
    assert f"unusable: {torn.name}" in shown
    assert "removed 2 " in _cli("prune", "--cache", str(tmp_path))
    assert [e.facts["target"] for e in cache.entries()] == ["sm89"]
    assert not torn.exists()
    assert young.exists()
    assert "removed 1 " in _cli("prune", "--cache", str(tmp_path), "--everything")
    assert cache.entries() == []


def test_the_default_store_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("AUREEL_PLANS", str(tmp_path / "here"))
    assert default_root() == tmp_path / "here"
    monkeypatch.setenv("AUREEL_ENGINES", str(tmp_path / "older"))
    assert default_root() == tmp_path / "here"
    monkeypatch.delenv("AUREEL_PLANS")
    assert default_root() == tmp_path / "older", "the variable's name before"
    monkeypatch.delenv("AUREEL_ENGINES")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "aureel" / "plans"


@pytest.mark.parametrize(
    ("text", "sizes"), [("1..8", (1, 8, 8)), ("4", (4, 4, 4)), ("1..4..8", (1, 4, 8))]
)
def test_a_batch_profile_is_read_from_text(text, sizes):
    profile = BatchProfile.parse(text)
    assert (profile.smallest, profile.best, profile.largest) == sizes


@pytest.mark.parametrize("text", ["", "x", "1..", "8..1", "0..2", "1..2..3..4", "-1"])
def test_a_batch_profile_that_cannot_be_is_refused_in_one_line(text):
    with pytest.raises(EngineError, match="expected") as caught:
        BatchProfile.parse(text)
    assert "\n" not in str(caught.value)

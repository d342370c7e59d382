"""What an editor took on GPUs, kept from run to run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engines.choice import Engine, resolve
from jobs.animation.rates import as_measured, remember, taken_before
from jobs.command_line.timed import Timed
from pipeline.rows import stage_row

ON_GPU = replace(resolve("editor", "identity"), gpu_share=1.0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path))


def keep(editor: Engine, place: str, run: Timed) -> None:
    remember(run, {"editor": editor.identity}, place)


def timed(*segments: tuple[int, float]) -> Timed:
    found = Timed()
    for edited, seconds in segments:
        found.on_row(stage_row("v", "render", 0, pictures=edited, edit_s=seconds))
    return found


def known(editor=ON_GPU, place: str = "H100") -> float:
    return as_measured(editor, place).seconds_per_edit


def test_what_a_run_took_is_what_the_next_expects_until_one_is_clearly_off():
    keep(ON_GPU, "H100", timed((300, 0.2), (100, 0.4), (5000, 0.0)))
    assert known() == pytest.approx(0.25)
    keep(ON_GPU, "H100", timed((300, 0.28)))
    assert known() == pytest.approx(0.25)  # as good as the same: cuts stay
    keep(ON_GPU, "H100", timed((300, 0.1)))
    assert known() == pytest.approx(0.1)


def test_it_is_known_of_that_editor_on_those_gpus_alone():
    keep(ON_GPU, "H100", timed((300, 0.2)))
    rough = ON_GPU.seconds_per_edit
    assert known(place="L4") == rough
    assert known(replace(ON_GPU, settings={"steps": 4})) == rough
    assert known(replace(ON_GPU, gpu_share=0.0)) == rough


def test_what_an_editor_on_cores_took_is_told_and_cuts_nothing():
    on_cores = replace(ON_GPU, gpu_share=0.0)
    assert taken_before("editor", on_cores.identity, "here") is None
    keep(on_cores, "here", timed((300, 0.2)))
    assert taken_before("editor", on_cores.identity, "here") == pytest.approx(0.2)
    assert known(on_cores, "here") == ON_GPU.seconds_per_edit


def test_a_short_run_and_a_broken_file_say_nothing(tmp_path: Path):
    keep(ON_GPU, "H100", timed((99, 0.2)))
    assert known() == ON_GPU.seconds_per_edit
    (tmp_path / "rates.json").write_text('["not", "ours"]')
    assert known() == ON_GPU.seconds_per_edit


def test_each_kind_of_work_is_kept_by_what_does_it_and_only_what_this_run_did():
    run = Timed()
    for row in (
        stage_row("v", "inspect", frames=1000, seconds=1.0),
        stage_row("v", "inspect", 3, frames=128),  # work still to come
        stage_row("v", "analyse", 0, frames=50, pictures=100, seconds=2.0),
        stage_row("v", "analyse", 1, frames=50, seconds=0.1),  # found as it was
        stage_row("v", "render", 0, edited=50, pictures=100, edit_s=0.01, seconds=5.0),
        stage_row("v", "render", 1, edited=50),  # an earlier run's piece
        stage_row("v", "finish", frames=1000, seconds=3.0),
    ):
        run.on_row(row)
    works = {"editor": 0.01, "render": 0.05, "analyse": 0.02, "rest": 0.004}
    remember(run, dict.fromkeys(works, "it"), "here")
    assert {work: taken_before(work, "it", "here") for work in works} == pytest.approx(works)
    assert taken_before("analyse", "another", "here") is None

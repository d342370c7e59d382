"""`train` from pairs on disk to a checkpoint that the editor runs, on Ray Train."""

from __future__ import annotations

import json
import time
from pathlib import Path
from threading import Thread

import numpy as np
import psutil
import pytest

from jobs.command_line.command import run_command
from jobs.train import app
from pipeline.run_folder.lease import Run
from tests.engines.editors.magicface.training.paired import write_pairs
from tests.one_thread import one_thread

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
SMALL = ("--init", "tiny", "--batch", "4", "--micro", "2", "--save-every", "2", "--lr", "1e-3")


def call(*arguments: str) -> int:
    return run_command(app, arguments)


@pytest.mark.slow
def test_pairs_become_a_checkpoint_that_the_editor_runs(ray_here, tmp_path, monkeypatch, capsys):
    from engines.editors.magicface.editor import MagicFaceEditor
    from engines.interface import AlignedCrops
    from keyframes.au import AUDelta

    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "pairs")
    asked = ("--pairs", "pairs", "--output", "run", "--workers", "2", *SMALL)
    assert call(*asked, "--steps", "2", "--schedule", "constant") == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert "8 pairs, 2 of them of held-out people; AUs by libreface" in out
    assert "held-out loss" in out
    first = tmp_path / "run/step-00000002"
    assert f"weights: {first}" in out.replace("\n", "")
    # The same call with more steps goes on.
    assert call(*asked, "--steps", "3") == 0, capsys.readouterr().err
    lines = [json.loads(line) for line in Path("run/progress.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "held_out" in line] == [0, 2, 3]
    said = json.loads(Path("run/step-00000003/training.json").read_text())
    assert said["provenance"]["a" * 64]["consent"] == "form 7"
    assert not Path("run/ray").exists()
    assert [p.name for p in sorted(Path("run").glob("sheet-*"))] == [
        "sheet-00000002.png",
        "sheet-00000003.png",
    ]

    editor = MagicFaceEditor(weights=Path("run/step-00000003"), steps=2, batch=1, backend="eager")
    points = _points()
    crops = AlignedCrops(np.full((1, 64, 64, 3), 128, np.uint8), points, np.zeros(1, np.int64))
    delta = np.zeros((1, 12), np.float32)
    delta[0, 6] = 3.0
    assert editor.edit(crops, AUDelta(delta), seed=1).edited.shape == (1, 64, 64, 3)


@pytest.mark.slow
@pytest.mark.timeout(900)  # Ray Train starts nine processes, twice: 460 s were seen at load 15
def test_a_run_whose_worker_is_killed_goes_on_to_the_same_bits(
    ray_here, tmp_path, monkeypatch, capsys
):
    """Bits are those of one process that makes the same passes and was never disturbed."""
    from engines.editors.magicface.training.recipe import Recipe
    from engines.editors.magicface.training.work import Order, train_as_asked

    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "pairs")
    asked = ("--pairs", "pairs", "--workers", "2", *SMALL, "--steps", "12")
    killed: list[int] = []
    killer = Thread(target=lambda: killed.append(_kill_a_worker(tmp_path / "run/step-00000004")))
    killer.start()
    status = call(*asked, "--output", "run")
    killer.join()
    assert status == 0, capsys.readouterr().err
    assert killed
    assert not psutil.pid_exists(killed[0])
    recipe = Recipe(steps=12, batch=4, micro=2, save_every=2, lr=1e-3)
    with one_thread():
        train_as_asked(Order(Path("pairs"), "tiny", None, Path("whole"), recipe))
    states = [torch.load(f"{name}/step-00000012/resume.pt") for name in ("run", "whole")]
    for part in ("parameters", "averages"):
        one, other = (state[part] for state in states)
        assert [name for name in one if not torch.equal(one[name], other[name])] == []
    told = [Path(name, "progress.jsonl").read_text() for name in ("run", "whole")]
    assert told[0] == told[1]
    assert [p.name for p in Path("run").glob(".unfinished*")] == []


def _kill_a_worker(after: Path) -> int:
    """SIGKILL to a worker that trains, once a checkpoint is there; its process id."""
    end = time.monotonic() + 600
    while not after.is_dir():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    mine = psutil.Process().children(recursive=True)
    workers = [process for process in mine if "RayTrainWorker" in " ".join(process.cmdline())]
    workers[0].kill()
    return workers[0].pid


def test_wrong_calls_are_refused_before_anything_starts(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "pairs")
    write_pairs(tmp_path / "large", [], size=512, facts={"pairs": 1})
    write_pairs(tmp_path / "nobody", facts={"clips": {}})
    for arguments, said in (
        (("--pairs", "large", *SMALL), "pictures of 512 px; expected 64 px"),
        (("--pairs", "nobody", *SMALL), "no provenance"),
        (("--pairs", "absent", *SMALL), "no pairs in"),
        (("--pairs", "pairs", *SMALL, "--workers", "3"), "cannot be shared out to 3 workers"),
        (("--pairs", "pairs", "--init", "tiny", "--lr", "-1"), "lr: got -1"),
        (("--pairs", "pairs", "--init", "no-folder"), "no weights folder no-folder"),
        (("--pairs", "pairs", *SMALL, "--au-encoder", "mlp"), "au-encoder"),
    ):
        assert call(*arguments, "--output", "run") == 2, said
        assert said in capsys.readouterr().err
    with Run("another", tmp_path) as run:
        run.claim(tmp_path / "run/progress.jsonl")
        assert call("--pairs", "pairs", *SMALL, "--output", "run") == 2
    assert "progress.jsonl" in capsys.readouterr().err
    monkeypatch.setattr("psutil.virtual_memory", type("Memory", (), {"available": 1e6}))
    monkeypatch.setattr("engines.editors.magicface.training.memory._smaller", lambda *_: [])
    assert call("--pairs", "pairs", *SMALL, "--output", "run") == 2
    assert "has 0.0 GB free; what would fit: nothing" in capsys.readouterr().err
    assert not [*Path("run").glob("step-*")]


def _points() -> np.ndarray:
    """`(1, 68, 2)`: an oval with a nose, in 64 pixels."""
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    return (32 + 14 * np.stack([np.cos(angle), np.sin(angle)], 1))[None].astype(np.float32)

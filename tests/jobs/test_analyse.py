"""The analysis table as a product of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from jobs.analyse import app
from jobs.command_line.command import run_command


@pytest.fixture
def analyse(ray_here, demo: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy2(demo, "talk.mp4")

    def call(*arguments: str):
        status = run_command(app, arguments)
        return status, capsys.readouterr()

    return call


def test_a_clip_becomes_a_table_with_a_row_per_frame(analyse):
    status, _ = analyse("--input", "talk.mp4", "--output", "t.parquet")
    table = pq.read_table("t.parquet")
    assert status == 0
    assert table.num_rows == 50
    assert set(table["track"].to_pylist()) == {0}
    assert table["time_s"].to_pylist()[:3] == [0.0, 0.04, 0.08]


def test_the_same_in_csv_without_measuring_twice(analyse):
    analyse("--input", "talk.mp4", "--output", "t.parquet")
    status, _ = analyse("--input", "talk.mp4", "--output", "t.csv", "--report", "r.json")
    assert status == 0
    assert pa_csv.read_csv("t.csv").num_rows == 50
    assert '"analyse"' not in Path("r.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--input", "talk.mp4", "--output", "t.xlsx"), ".parquet or .csv"),
        (("--input", "gone.mp4", "--output", "t.csv"), "gone.mp4"),
        (("--input", "talk.mp4"), "--output"),
        (("--input", "half.mp4", "--output", "t.csv"), "nothing was written"),
        (("--input", "talk.mp4", "--output", "there.csv"), "--overwrite"),
    ],
)
def test_a_wrong_call_gets_one_line_and_status_2(analyse, arguments, says):
    Path("half.mp4").write_bytes(Path("talk.mp4").read_bytes()[:9000])
    Path("there.csv").write_text("precious")
    status, printed = analyse(*arguments)
    assert status == 2
    assert says in printed.err
    assert len(printed.err.strip().splitlines()) == 1
    assert Path("there.csv").read_text() == "precious"

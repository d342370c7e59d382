"""The analysis table as a product of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
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


def test_decord_measures_the_same_faces_and_the_report_names_it(analyse):
    pytest.importorskip("decord")
    analyse("--input", "talk.mp4", "--output", "av.parquet", "--report", "av.json")
    read = ("--reader", "decord", "--output", "decord.parquet", "--report", "decord.json")
    status, printed = analyse("--input", "talk.mp4", *read)
    assert status == 0, printed
    assert json.loads(Path("av.json").read_text())["settings"]["reader"]["name"] == "av"
    report = json.loads(Path("decord.json").read_text())
    assert report["settings"]["reader"] == {"name": "decord", "reason": "as asked"}
    assert "analyse" in report["videos"][0]["stages"], "another reader's analysis was taken over"
    one, other = (pq.read_table(f"{name}.parquet") for name in ("av", "decord"))
    assert one.num_rows == other.num_rows == 50
    x = [np.array(table["landmarks_px"].to_pylist()) for table in (one, other)]
    assert np.abs(x[0] - x[1]).max() < 1.0  # pixels


def test_decord_fails_a_clip_of_which_it_would_show_something_else(analyse, shared):
    pytest.importorskip("decord")
    clip = shared / "media/corpus/editlist_trim_midgop.mp4"
    asked = ("--reader", "decord", "--output", "t.parquet", "--report", "r.json")
    status, printed = analyse("--input", "talk.mp4", str(clip), *asked)
    assert status == 1, printed
    by_name = {Path(v["input"]).name: v for v in json.loads(Path("r.json").read_text())["videos"]}
    assert by_name["talk.mp4"]["status"] == "done"
    failed = by_name["editlist_trim_midgop.mp4"]
    assert (failed["status"], failed["stage"]) == ("failed", "inspect")
    assert "decord cannot read this faithfully: it sees 28 frames of 22" in failed["error"]

"""One job, many curves: a table says of every clip what is to be made of it."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.animation import shots
from jobs.animation.shots import find_shots
from jobs.command_line.failures import retry_command, write_failures
from jobs.command_line.options.animate import AnimateOptions
from jobs.command_line.report import Ledger
from jobs.errors import JobError
from pipeline.demo.clip import make_demo_clip
from tests.jobs.conftest import SMILE, Animate

FROWN = SMILE.replace("AU12", "AU4")
WRONG = "version: 1\nchannels:\n  AU13: [[0s, 1]]\n"


@pytest.fixture
def clips(tmp_path: Path, demo: Path) -> Path:
    """A folder with a clip, two curves and one that does not parse."""
    shutil.copy2(demo, tmp_path / "a.mp4")
    for name, text in {"smile2": SMILE, "frown": FROWN, "wrong": WRONG}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def found(folder: Path, text: str, **options):
    (folder / "jobs.csv").write_text(text)
    options = {"manifest": str(folder / "jobs.csv"), "dry_run": True, **options}
    return find_shots(AnimateOptions(**options), lambda _: None)


def test_a_manifest_makes_each_row_by_its_own_curve_and_only_the_failures_are_tried_again(
    animate: Animate, monkeypatch
):
    Path("cut").mkdir()
    for name, text in {"smile2": SMILE, "frown": FROWN, "wrong": WRONG}.items():
        Path(f"cut/{name}.yaml").write_text(text)
    make_demo_clip(Path("cut/talk.mp4"), seconds=0.8)
    Path("cut/jobs.csv").write_text(
        "input,output,curve,range,fade\n"
        "talk.mp4,../out/,smile2.yaml,,\n"
        "talk.mp4,../out/late.mp4,smile2.yaml,0.4s to 0.6s,100ms\n"
        "talk.mp4,../out/frown.mp4,frown.yaml,,\n"
        "talk.mp4,../out/wrong.mp4,wrong.yaml,,\n"
        "gone.mp4,../out/gone.mp4,smile2.yaml,,\n"
    )
    call = ("--manifest", "cut/jobs.csv", "--editor", "identity", "--report", "out/report.json")
    dry = animate(*call, "--dry-run")
    assert dry.status == 1
    assert dry.stdout.count("would fail: ") == 2
    assert "3 to make, 0 up to date, 2 would fail" in dry.stdout
    assert re.search(r"frames *│ 60, of which 4\d are edited", dry.stdout)
    assert re.search(r"measuring *│ 20 frames, about ", dry.stdout), "a clip is measured once"
    assert "in 3 of the 3 clips looked at" in dry.stdout
    assert "AU13" in dry.stdout, "a curve that does not parse is known before the work"
    assert not Path("out").exists()

    run = animate(*call)
    assert run.status == 1
    report = json.loads(Path("out/report.json").read_text())
    by_name = {Path(v["output"]).name: v for v in report["videos"]}
    assert {n: v["status"] for n, v in by_name.items()} == {
        "talk.smile2.mp4": "done", "late.mp4": "done", "frown.mp4": "done",
        "wrong.mp4": "failed", "gone.mp4": "failed",
    }  # fmt: skip
    assert by_name["late.mp4"]["range"] == "0.4s to 0.6s"
    assert 0 < by_name["late.mp4"]["edited_frames"] < by_name["talk.smile2.mp4"]["edited_frames"]
    assert {Path(v["curve"]).stem for v in report["videos"]} == {"smile2", "frown", "wrong"}
    assert len(report["settings"]["curves"]) == 3
    assert "not made: " in run.stdout.partition("editor: ")[0], "said before the work"
    assert len(list(Path("out/_work").glob("*/analysis-*.parquet"))) == 1, "measured once"

    failures = rows_of(Path("out/failures.csv"))
    assert {Path(r["output"]).name for r in failures} == {"wrong.mp4", "gone.mp4"}
    assert "AU13" in next(r["why"] for r in failures if r["output"].endswith("wrong.mp4"))
    again = shlex.split(run.stdout.splitlines()[-1].partition("only those again: ")[2])
    assert again[:2] == ["aureel", "animate"]
    Path("cut/wrong.yaml").write_text(FROWN)
    shutil.copy2("cut/talk.mp4", "cut/gone.mp4")
    retried = animate(*again[2:])
    assert retried.status == 0, retried.stdout
    told = json.loads(Path("out/retry.json").read_text())
    assert {Path(v["output"]).name for v in told["videos"]} == {"wrong.mp4", "gone.mp4"}
    assert not Path("out/failures.csv").exists(), "nothing is left to try again"

    Path("cut/frown.yaml").write_text(FROWN.replace("3]", "2]"))
    rerun = animate(*call)
    ended = json.loads(Path("out/report.json").read_text())["videos"]
    stale = [Path(v["output"]).name for v in ended if v["status"] != "skipped"]
    assert (rerun.status, len(ended), stale) == (1, 5, ["frown.mp4"]), "another curve, that row"


def test_a_clip_of_a_folder_that_fails_leaves_a_manifest_and_its_command_too(clips):
    said = {"output": str(clips / "out"), "overwrite": True, "plot": False, "allow": ("alpha",)}
    curve, inputs = str(clips / "smile2.yaml"), (str(clips / "a.mp4"),)
    options = AnimateOptions(curve=curve, inputs=inputs, log_json="log", **said)
    told = find_shots(options, lambda _: None)
    ledger = Ledger(told.videos, "animate", told.refused, told.asked)
    ledger.fail(told.videos[0]["video"], "render", "no,\nnever")
    write_failures(ledger.report({}, 0.0), clips / "report.json")
    (row,) = rows_of(clips / "failures.csv")
    assert row == {
        "input": str(clips / "a.mp4"), "output": str(clips / "out/a.smile2.mp4"), "curve": curve,
        "faces": "", "range": "", "fade": "", "view": "", "why": "no,\nnever",
    }  # fmt: skip
    assert shlex.split(retry_command(options, clips / "report.json")) == [
        "aureel", "animate", "--manifest", str(clips / "failures.csv"),
        "--report", str(clips / "retry.json"), "--curve", curve, "--output", str(clips / "out"),
        "--overwrite", "--allow", "alpha", "--no-plot",
    ]  # fmt: skip
    again = find_shots(AnimateOptions(manifest=str(clips / "failures.csv")), lambda _: None)
    assert again.videos == told.videos
    assert again.asked == told.asked
    good = Ledger([], "animate").report({}, 0.0)
    write_failures(good, clips / "report.json")
    assert not (clips / "failures.csv").exists()
    (clips / "failures.csv").write_text("somebody's own\n")
    write_failures(good, clips / "report.json")
    assert (clips / "failures.csv").exists()


def test_a_dry_run_names_clips_in_which_no_face_is_seen(animate: Animate):
    with av.open("grey.mp4", "w") as made:
        stream = made.add_stream("libx264", rate=25, width=128, height=128, pix_fmt="yuv420p")
        for _ in range(3):
            grey = av.VideoFrame.from_ndarray(np.full((128, 128, 3), 90, np.uint8))
            made.mux(stream.encode(grey))
        made.mux(stream.encode())
    run = animate("--curve", "smile", "--input", "grey.mp4", "talk.mp4", "--dry-run")
    assert run.status == 0
    assert "in 1 of the 2 clips looked at, in one frame each; none in grey.mp4 (frame " in (
        run.stdout
    )


def test_csv_jsonl_and_parquet_say_the_same(clips):
    rows = [{"input": "a.mp4", "curve": "smile2.yaml", "faces": [0, 1], "range": ["1s", "3s"]},
            {"input": "a.mp4", "curve": "smile", "faces": None, "range": None}]  # fmt: skip
    (clips / "jobs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = pa.Table.from_pylist([{**r, "faces": r["faces"] and "0;1"} for r in rows])
    pq.write_table(table, clips / "jobs.parquet")
    text = "input,curve,faces,range\na.mp4,smile2.yaml,0;1,1s to 3s\na.mp4,smile,,\n"
    first = found(clips, text)
    assert len(first.sheets) == 2
    for name in ("jobs.jsonl", "jobs.parquet"):
        other = found(clips, text, manifest=str(clips / name))
        assert (other.asked, other.videos) == (first.asked, first.videos)
        digests = [sheet.digest for sheet in other.sheets.values()]
        assert digests == [sheet.digest for sheet in first.sheets.values()]


REFUSED = [
    ("a.mp4,x.mp4,wrong.yaml,,", "jobs.csv:3: ", "AU13"),
    ("a.mp4,x.mp4,grin.yaml,,", "jobs.csv:3: ", "no such curve file"),
    ("a.mp4,x.mp4,,,", "jobs.csv:3: ", "no curve"),
    ("a.mp4,x.mp4,smile,1,9", "jobs.csv:3: ", "range: got '9'; expected it like 1s to 3s"),
    ("a.mp4,x.mp4,smile,anna,", "jobs.csv:3: ", "faces: got 'anna'"),
    ("a.mp4,x.mp4,ranged.yaml,,1s to 2s", "jobs.csv:3: ", "a range of their own"),
    ("a.mp4,x.mp4,two.yaml,1,", "jobs.csv:3: ", "for different faces"),
    ("gone.mp4,x.mp4,smile,,", "jobs.csv:3: ", "does not exist"),
    (".,x.mp4,smile,,", "jobs.csv:3: ", "one video in a row"),
    ("a.mp4,first.mp4,smile,,", "jobs.csv:3: ", "would be that of"),
    ("a.mp4,a.mp4,smile,,", "jobs.csv:3: ", "never overwritten"),
    ("a.mp4,smile2.yaml,smile,,", "jobs.csv:3: ", ".yaml"),
    ("a.mp4,jobs.csv/x.mp4,smile,,", "jobs.csv:3: ", "is a file; expected a folder"),
    ("a.mp4,x.mp4,smile,,,,", "", "has 7 cells; its heading has 5"),
    (",x.mp4,smile,,", "", "no input"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "place", "says"), REFUSED)
def test_what_is_wrong_with_a_row_is_a_line_and_the_others_are_made(clips, row, place, says):
    (clips / "ranged.yaml").write_text(SMILE + "range: [0s, 1s]\n")
    (clips / "two.yaml").write_text("version: 1\nlayers:\n- {use: smile}\n- {use: sad, faces: 1}\n")
    text = (
        f"input,output,curve,faces,range\na.mp4,first.mp4,smile,,\n{row}\na.mp4,last.mp4,smile,,\n"
    )
    told = found(clips, text)
    assert [Path(v["output"]).name for v in told.videos] == ["first.mp4", "last.mp4"]
    (refused,) = told.refused
    assert refused.why.startswith(place)
    assert says in refused.why
    assert "\n" not in refused.line
    assert "jobs.csv:3" in refused.line


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("input,curv\na.mp4,smile\n", {}, "unknown column 'curv'; known: input, output, curve,"),
        ("input,steps\na.mp4,8\n", {}, "unknown column 'steps'"),
        ("curve\nsmile\n", {}, "no column input"),
        ("input,input\na,b\n", {}, "a column comes twice"),
        ("input,curve\n", {}, "has no rows"),
        ("input,curve\na.mp4,smile\n", {"inputs": ("a.mp4",)}, "no --input beside it"),
        ("input,curve\na.mp4,smile\n", {"output": "x.mp4"}, "give a folder"),
        ("input,curve\na.mp4,smile\n", {"manifest": "gone.csv"}, "cannot be read"),
        ("input,curve\na.mp4,smile\n", {"manifest": "jobs.txt"}, ".csv or .jsonl or .parquet"),
        ("input,curve\na.mp4,smile\n", {"manifest": None}, "--curve: not given"),
        ("input,curve\ngone.mp4,smile\nb.mp4,smile\n", {}, "gone.mp4: jobs.csv:2: does not exist"),
    ],
)
def test_a_manifest_that_cannot_be_used_at_all_is_refused_in_one_line(clips, text, options, says):
    with pytest.raises(JobError) as refused:
        found(clips, text, **options)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_planning_a_manifest_costs_as_many_calls_for_each_row_of_many_as_of_few(clips, monkeypatch):
    """Counted, not timed: what is quadratic in the rows shows as calls."""
    import cProfile

    monkeypatch.setattr(shots, "OPENED", 1)

    def calls(rows: int) -> float:
        for number in range(rows):
            (clips / f"{number}.mp4").write_bytes(b"x")
        (clips / "0.mp4").write_bytes((clips / "a.mp4").read_bytes())
        lines = [f"{n}.mp4,out{n % 50}/{n}.mp4,smile,{n % 9}" for n in range(rows)]
        profile = cProfile.Profile(builtins=True)
        text = "\n".join(("input,output,curve,faces", *lines))
        told = profile.runcall(found, clips, text, matte="ffv1")
        assert len(told.videos) == rows
        return sum(entry.callcount for entry in profile.getstats()) / rows

    assert calls(200) < 1.2 * calls(50)

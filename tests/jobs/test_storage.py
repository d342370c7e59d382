"""Footage and results in stores, against an S3 server on loopback."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import psutil
import pytest

from jobs.animate import app
from jobs.command_line.command import run_command
from jobs.command_line.report import Report
from jobs.evaluate import app as evaluate
from jobs.make_pairs import app as make_pairs
from jobs.verify import app as verify
from pipeline.demo.clip import make_demo_clip
from pipeline.errors import StorageError
from pipeline.storage import stores
from pipeline.storage.urls import path_of
from tests.jobs.killing import ANIMATE, environment_with, kill_when

URLs = Callable[..., str]
FAST = ("--editor", "identity", "--preset-encode", "ultrafast")


@pytest.fixture
def store() -> Any:
    return fsspec.filesystem("s3", use_listings_cache=False)


def names(store: Any, url: str) -> list[str]:
    return sorted(name.partition("/")[2] for name in store.find(url))


def test_a_folder_of_a_bucket_becomes_another_with_curve_plots_and_report(
    animate, bucket: URLs, store: Any, demo: Path, tmp_path: Path
):
    for name in ("talk.mp4", "more/other.mp4", "more/notes.txt"):
        store.put_file(str(demo), bucket("shots", name))
    store.put_file("smile2.yaml", bucket("curves", "smile2.yaml"))
    call = ("--curve", bucket("curves", "smile2.yaml"), "--input", bucket("shots"), "--plot")
    call += ("--output", bucket("out") + "/", *FAST)
    planned = animate(*call, "--dry-run")
    assert planned.status == 0, planned.stderr
    assert f"{bucket('out')} can be written" in planned.stdout
    assert "2 inputs can be read" in planned.stdout
    assert names(store, bucket("out")) == []

    run = animate(*call)
    assert run.status == 0, run.stdout
    made = names(store, bucket("out"))
    for stem in ("out/talk.smile2", "out/more/other.smile2"):
        assert {f"{stem}.mp4", f"{stem}.curves.csv", f"{stem}.frames.png"} <= set(made)
    assert "out/report.json" in made
    assert not [name for name in made if ".aureel-" in name]
    report = json.loads(store.cat_file(bucket("out", "report.json")))
    assert [video["status"] for video in report["videos"]] == ["done", "done"]
    assert {video["input"] for video in report["videos"]} == {
        bucket("shots", "talk.mp4"),
        bucket("shots", "more", "other.mp4"),
    }
    assert f"video: {bucket('out', 'talk.smile2.mp4')}" in run.stdout
    told = run.stdout + run.stderr + json.dumps(report)
    assert "aureel-stores" not in told
    assert "unsaid-secret" not in told

    again = animate(*call)
    assert "skipped" in again.stdout
    store.rm_file(bucket("out", "talk.smile2.mp4"))
    assert animate(*call).status == 0
    assert "out/talk.smile2.mp4" in names(store, bucket("out"))


def test_a_manifest_of_a_bucket_may_mix_stores_and_files_and_its_failures_can_be_retried(
    animate, bucket: URLs, store: Any, demo: Path, tmp_path: Path
):
    store.put_file(str(demo), bucket("jobs", "talk.mp4"))
    rows = (
        f"talk.mp4,{tmp_path}/here.mp4\n"
        f"{tmp_path}/talk.mp4,made.mp4\n"
        "gone.mp4,never.mp4\n"
        f"{bucket('jobs', 'talk.mp4')},{bucket('jobs', 'talk.mp4')}\n"
    )
    store.pipe_file(bucket("jobs", "all.csv"), f"input,output\n{rows}".encode())
    manifest = ("--manifest", bucket("jobs", "all.csv"), "--curve", "smile2.yaml", *FAST)
    run = animate(*manifest, "--report", bucket("jobs", "report.json"))
    assert run.status == 1
    assert (tmp_path / "here.mp4").is_file()
    assert "jobs/made.mp4" in names(store, bucket("jobs"))
    failed = csv.DictReader(io.StringIO(store.cat_file(bucket("jobs", "failures.csv")).decode()))
    why = {row["input"]: row["why"] for row in failed}
    assert "does not exist" in why[bucket("jobs", "gone.mp4")]
    assert "footage is never overwritten" in why[bucket("jobs", "talk.mp4")]
    assert f"--manifest {bucket('jobs', 'failures.csv')}" in run.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--output", "s3://nobody-has-this/out/"), "s3://nobody-has-this/out: cannot write there"),
        (("--input", "s3://nobody-has-this/a.mp4"), "bucket does not exist"),
        (("--output", "ftp://me:hunter2@host/out/"), "holds a password"),
        (("--input", "https://host/a.mp4?token=hunter2"), "holds a query"),
        (("--work", "s3://nobody-has-this/work"), "--work: got"),
        (("--output", "s3://b/o/", "--cache-size", "lots"), "--cache-size: got 'lots'"),
    ],
)
def test_what_is_wrong_with_a_store_is_one_line_before_any_work(
    bucket: URLs, demo: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
):
    inputs = () if "--input" in words else ("--input", str(demo))
    assert run_command(app, ["--curve", "smile", *inputs, *FAST, *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert "hunter2" not in error


def test_credentials_that_are_missing_are_one_line_before_any_work(
    bucket: URLs, demo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    import s3fs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    s3fs.S3FileSystem.clear_instance_cache()
    call = ["--curve", "smile", "--input", str(demo), "--output", bucket("new") + "/", *FAST]
    try:
        assert run_command(app, call) == 2
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
    error = capsys.readouterr().err
    assert "credentials" in error
    assert error.count("\n") == 1


@contextmanager
def forbidden(store: Any, bucket: URLs, action: str, names: str) -> Iterator[None]:
    """While the body runs, nobody may do that with objects of such names."""
    url = bucket()
    rule = {"Effect": "Deny", "Principal": "*", "Action": action}
    policy = {
        "Version": "2012-10-17",
        "Statement": [rule | {"Resource": f"arn:aws:s3:::{url[5:]}/{names}"}],
    }
    store.call_s3("put_bucket_policy", Bucket=url[5:], Policy=json.dumps(policy))
    yield
    store.call_s3("delete_bucket_policy", Bucket=url[5:])


def refused(call: list[str], capsys: pytest.CaptureFixture[str], folder: Path) -> str:
    """What a call and its dry run say in one line, before anything is made."""
    before = sorted(folder.rglob("*"))
    told: list[str] = []
    for more in ([], ["--dry-run"]):
        stores.check_writable.cache_clear()
        assert run_command(app, [*call, *more]) == 2
        out, error = capsys.readouterr()
        assert (out, error.count("\n")) == ("", 1)
        assert "unsaid-secret" not in error
        told.append(error)
    assert told[0] == told[1]
    assert sorted(folder.rglob("*")) == before
    return told[0]


def test_keys_that_the_store_does_not_know_are_one_line_before_any_work(
    bucket: URLs, s3_server: str, demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    def ask_for_keys(after: str) -> None:
        kind, where = {"Content-Type": "text/plain"}, f"{s3_server}/moto-api/reset-auth"
        urllib.request.urlopen(urllib.request.Request(where, after.encode(), kind)).close()

    ask_for_keys("0")
    try:
        call = ["--curve", "smile", "--input", str(demo), "--output", bucket("new") + "/", *FAST]
        said = refused(call, capsys, tmp_path)
        assert "cannot write there: The AWS Access Key Id you provided does not exist" in said
        assert "check this machine's credentials for that store" in said
        call = ["--curve", "smile", "--input", bucket("a.mp4"), "--output", str(tmp_path), *FAST]
        assert f"{bucket('a.mp4')}: cannot look at it: The AWS" in refused(call, capsys, tmp_path)
    finally:
        ask_for_keys("inf")


def test_a_bucket_that_may_only_be_read_is_one_line_before_any_work(
    bucket: URLs, store: Any, demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    call = ["--curve", "smile", "--input", str(demo), "--output", bucket("new") + "/", *FAST]
    with forbidden(store, bucket, "s3:PutObject", "*"):
        said = refused(call, capsys, tmp_path)
    assert "cannot write there: " in said
    assert "these credentials may not: ask the bucket's owner" in said


def test_an_upload_that_is_refused_at_the_end_is_a_row_and_the_next_run_sends_what_was_made(
    animate, bucket: URLs, store: Any, tmp_path: Path
):
    call = ("--curve", "smile2.yaml", "--input", "talk.mp4", "--work", str(tmp_path / "work"))
    call += ("--output", bucket("out") + "/", *FAST)
    with forbidden(store, bucket, "s3:PutObject", "*.mp4"):
        run = animate(*call)
    assert run.status == 1
    (video,) = json.loads(store.cat_file(bucket("out", "report.json")))["videos"]
    assert "cannot write it: " in video["error"]
    assert "it is finished and kept: the same call sends it" in video["error"]
    assert "unsaid-secret" not in run.stdout + run.stderr + json.dumps(video)
    assert names(store, bucket("out")) == ["out/failures.csv", "out/report.json"]
    (made,) = (tmp_path / "work").rglob("ready-*.mp4")
    finished = made.read_bytes()
    assert animate(*call).status == 0
    assert store.cat_file(bucket("out", "talk.smile2.mp4")) == finished


def test_a_report_that_its_store_refuses_at_the_end_is_kept_here(
    bucket: URLs, store: Any, tmp_path: Path
):
    report = Report(created="", command=[], seconds=0, settings={}, versions={}, videos=[])
    with forbidden(store, bucket, "s3:PutObject", "*"), pytest.raises(StorageError) as error:
        report.write_or_keep(path_of(bucket("report.json")), tmp_path)
    assert f"this run's report is kept: {tmp_path / 'report.json'}" in str(error.value)
    assert json.loads((tmp_path / "report.json").read_text())["videos"] == []


def test_a_folder_of_google_s_store_becomes_another_and_is_verified_there(
    animate, gs_bucket: URLs, tmp_path: Path
):
    google = fsspec.filesystem("gs", use_listings_cache=False)
    clip = make_demo_clip(tmp_path / "short.mp4", seconds=0.4, size=(256, 256))
    for name in ("take1.mp4", "more/take2.mp4", "more/notes.txt", "other.mp4"):
        google.put_file(str(clip), gs_bucket("shots", name))
    call = ("--curve", "smile2.yaml", "--output", gs_bucket("out") + "/", *FAST)
    planned = animate(*call, "--input", gs_bucket("shots"), "--dry-run")
    assert "3 inputs can be read" in planned.stdout
    run = animate(*call, "--input", gs_bucket("shots", "**", "take*.mp4"))
    assert run.status == 0, run.stdout
    made = {name.partition("/")[2] for name in google.find(gs_bucket("out"))}
    assert made == {"out/take1.smile2.mp4", "out/more/take2.smile2.mp4", "out/report.json"}
    output = gs_bucket("out", "take1.smile2.mp4")
    assert run_command(verify, [gs_bucket("shots", "take1.mp4"), output]) == 0
    here = path_of(output)
    assert google.cat_file(output) == here.read_bytes()


def test_an_output_in_a_bucket_is_judged_where_it_lies(
    bucket: URLs, store: Any, tmp_path: Path, capsys
):
    clip = make_demo_clip(tmp_path / "talk.mp4", seconds=0.4, size=(256, 256))
    for name in ("talk.mp4", "talk.smile.mp4"):
        store.put_file(str(clip), bucket("shots", name))
    both = bucket("shots", "talk.mp4"), bucket("shots", "talk.smile.mp4")
    assert run_command(evaluate, [both[0], bucket("shots", "gone.mp4")]) == 2
    assert f"{bucket('shots', 'gone.mp4')}: no such file" in capsys.readouterr().err
    assert run_command(evaluate, [*both]) in (0, 1)
    said = capsys.readouterr().out
    assert f"verdict: {bucket('shots', 'talk.smile.qa.html')}" in said
    assert "aureel-stores" not in said
    made = names(store, bucket("shots"))
    assert {"shots/talk.smile.qa.html", "shots/talk.smile.qa.json"} <= set(made)
    assert json.loads(store.cat_file(bucket("shots", "talk.smile.qa.json")))["page"]


@pytest.mark.slow
def test_pairs_are_cut_from_a_bucket(
    ray_here, bucket: URLs, store: Any, demo: Path, tmp_path: Path, capsys
):
    store.put_file(str(demo), bucket("shots", "talk.mp4"))
    leave = "{shots: {licence: own, consent: written, may_train: true}}"
    store.pipe_file(bucket("leave.yaml"), leave.replace("shots", f"'{bucket('shots')}/*'").encode())
    asked = ["--input", bucket("shots"), "--provenance", bucket("leave.yaml"), "--size", "128"]
    asked += ["--min-pose-change", "0", "--min-sharpness", "1", "--pairs-per-face", "4"]
    assert run_command(make_pairs, [*asked, "--output", bucket("pairs")]) == 2
    assert "expected a place on a file system" in capsys.readouterr().err
    assert run_command(make_pairs, [*asked, "--output", str(tmp_path / "pairs")]) == 0
    assert "pairs of 1 people" in capsys.readouterr().out


@pytest.mark.slow
def test_a_job_killed_amid_its_upload_leaves_nothing_and_the_next_sends_the_same_bytes(
    bucket: URLs, s3_server: str, store: Any, tmp_path: Path
):
    clip = make_demo_clip(tmp_path / "talk.mp4", seconds=0.6, size=(320, 320))
    work = tmp_path / "work"
    call = ("--curve", "smile", "--input", str(clip), "--output", bucket("out", "a.mkv"), *FAST)
    call += ("--work", str(work), "--encode-quality", "lossless")
    environment = environment_with(tmp_path / "marks")
    port = s3_server.rpartition(":")[2]
    (server,) = (p for p in psutil.process_iter(["cmdline"]) if _serves(p, port))

    def is_sending() -> bool:
        if any(work.rglob("ready-*.mkv")):
            server.suspend()  # so that what is sent does not arrive
        return any(work.rglob("ready-*.json"))

    try:
        kill_when(call, environment, is_sending)
    finally:
        server.resume()
    assert "out/a.mkv" not in names(store, bucket())
    (note,) = work.rglob("ready-*.json")
    ready = json.loads(note.read_text())["sha256"]
    again = subprocess.run([*ANIMATE, *call], env=environment, check=False)
    assert again.returncode == 0
    assert names(store, bucket()) == ["out/a.mkv", "out/report.json"]
    sent = hashlib.sha256(store.cat_file(bucket("out", "a.mkv"))).hexdigest()
    assert sent == ready


def _serves(process: psutil.Process, port: str) -> bool:
    command = process.info["cmdline"] or []
    return "moto.server" in command and command[-1] == port

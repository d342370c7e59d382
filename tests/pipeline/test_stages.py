"""The stages in this process, in order: what is read again, what is refused, what is made again."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from engines.choice import resolve
from engines.editors.identity import IdentityEditor
from engines.errors import EngineError
from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.segmenters.multiclass import chosen_segmenter
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.load import parse_sheet
from pipeline import stages
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.front import FADES
from pipeline.edit.segments import ONE, Hands
from pipeline.errors import MediaError, PipelineError
from pipeline.files import read_json, write_json
from pipeline.guards.watchdog import LEAST_S
from pipeline.media.compare.witness import compare_files
from pipeline.media.write import untouched
from pipeline.rows import VideoRow
from pipeline.run_folder import strikes
from pipeline.run_folder.store import VideoFolder, video_row
from pipeline.settings import AnalysisSettings, ElementWish, EncodeWish, RenderSettings
from tests.engines.segmenters.drawn import things_are_dark
from tests.pipeline.weaving import pictures_of, woven, write_woven

ANALYSIS = AnalysisSettings(resolve("tracker", "mesh"), resolve("AU estimator", "mesh"))
WHOLE = RenderSettings(
    parse_sheet("version: 1\nchannels: {AU12: [[0s, 3]]}\n", "smile"),
    replace(resolve("editor", "identity"), seconds_per_edit=5.0),  # makes several segments
)


@pytest.fixture
def row(talk, tmp_path) -> VideoRow:
    source = Path(shutil.copy2(talk.path, tmp_path / "talk.mp4"))
    made = video_row(source, tmp_path / "out" / "talk.smile.mp4", tmp_path / "_work")
    return {**made, "request": "asked"}


def spans(row: VideoRow, rows: list[Any]) -> list[Any]:
    """The rows of work still to do."""
    names = ("number", "first", "last", "digest")
    return [
        {**row, **{n: r[n] for n in names}}
        for r in rows
        if r["number"] >= 0 and r["stage"] != "render"
    ]


def planned(row: VideoRow, settings: RenderSettings = WHOLE, hands: Hands = ONE) -> list[Any]:
    """All stages up to the segments to render."""
    tracker, estimator = MeshTracker(), MeshAUEstimator()
    for chunk in spans(row, stages.inspect_stage(row, ANALYSIS)):
        stages.analyse_stage(chunk, ANALYSIS, tracker, estimator)
    _, faces = stages.assemble_stage(row, ANALYSIS, estimator)
    return spans(row, stages.plan_stage(row, faces, settings, hands))


def rendered(segments: list[Any], settings: RenderSettings = WHOLE) -> None:
    with MicroBatcher(IdentityEditor(), seed=1) as batcher:
        for segment in segments:
            stages.render_stage(segment, settings, batcher)


def test_a_source_is_opened_as_often_as_its_frames_are_needed(row, monkeypatch):
    opened: Counter[str] = Counter()
    really = av.open

    def counted(file: Any, mode: Any = None, **options: Any) -> Any:
        opened[str(file)] += mode != "w"
        return really(file, mode, **options)

    monkeypatch.setattr(av, "open", counted)
    watched: dict[str, float] = {}
    over = strikes.watchdog.over

    def noted(mark: Path, limit_s: float) -> Any:
        watched[mark.name.partition("-")[0]] = limit_s
        return over(mark, limit_s)

    monkeypatch.setattr(strikes.watchdog, "over", noted)
    segments = planned(row)
    chunks = 1
    assert len(segments) >= 2
    assert opened[row["source"]] == 2 + chunks  # headers, packets, and each chunk's frames
    rendered(segments)
    assert opened[row["source"]] == 2 + chunks + len(segments)
    stages.finish_stage(row, WHOLE)
    # Sound is copied from it, then the output is held against it: packets and a few pictures.
    assert opened[row["source"]] <= 2 + chunks + len(segments) + 4
    # Hung work of each of these is ended, and counts as a strike.
    assert set(watched) == {"analyse", "assemble", "plan", "render", "finish"}
    assert min(watched.values()) >= LEAST_S
    assert not list(Path(row["work"]).rglob("*.try.*"))
    opened.clear()
    assert planned({**row, "request": "another"}) != []
    assert opened[row["source"]] == 0  # a second curve


def test_a_piece_that_is_not_the_one_its_marker_vouches_for_is_never_published(row):
    """Of the same name and size, with other bytes: as a run without the lease could leave it."""
    segments = planned(row)
    rendered(segments)
    job = VideoFolder.of(row).job_folder
    piece = sorted(path for path in job.glob("0*.*") if path.suffix != ".json")[1]
    whole = piece.read_bytes()
    piece.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(PipelineError, match=r"segment 1: its piece is not the one .*; run again"):
        stages.finish_stage(row, WHOLE)
    assert not Path(row["output"]).exists()
    assert [segment["number"] for segment in planned(row)] == [1]  # made again, alone


def test_a_cut_with_finished_pieces_is_kept_on_another_number_of_gpus(row):
    quick = replace(WHOLE, editor=replace(WHOLE.editor, seconds_per_edit=0.2))
    three = planned(row, quick, Hands(3))
    assert planned(row, quick, Hands(2)) != three  # nothing is finished: cut anew
    three = planned(row, quick, Hands(3))
    rendered(three[:1], quick)
    assert planned(row, quick, Hands(2)) == three[1:]
    rendered(three[1:], quick)
    assert planned(row, quick, Hands(2)) == []
    stages.finish_stage(row, quick)


def test_what_a_frame_looks_like_does_not_depend_on_the_number_of_gpus(row, tmp_path):
    """Decoded from a lossless encoding: else its own rounding would."""
    previz = replace(resolve("editor", "previz"), seconds_per_edit=0.2)
    settings = replace(WHOLE, editor=previz, encode=EncodeWish(quality="lossless"))
    outputs: list[Path] = []
    for count in (1, 4):
        here: VideoRow = {**row, "output": str(tmp_path / f"{count}.mp4")}
        segments = planned(here, settings, Hands(count))
        assert len(segments) == count
        with MicroBatcher(previz.make(), seed=1) as batcher:
            for segment in segments:
                stages.render_stage(segment, settings, batcher)
        stages.finish_stage(here, settings)
        outputs.append(Path(here["output"]))
    first, second = (frames_of(output) for output in outputs)
    assert len(first) > 20
    assert first == second


def frames_of(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]


def test_segments_that_another_curve_planned_are_never_published(row):
    rendered(planned(row))
    spans_file = VideoFolder.of(row).spans(row["request"])
    other = {**read_json(spans_file), "request": "another"}
    write_json(spans_file, other)
    with pytest.raises(PipelineError, match="is not what this run planned; run again"):
        stages.finish_stage(row, WHOLE)
    assert not Path(row["output"]).exists()


def test_a_segment_is_made_with_the_segmenter_its_run_began_with_or_not_at_all(row, tmp_path):
    network = things_are_dark(tmp_path / "dark.tflite", 0.3)
    settings = replace(WHOLE, segmenter=chosen_segmenter(str(network)))
    assert settings.editor_digest != WHOLE.editor_digest
    segments = planned(row, settings)
    network.write_bytes(b"another")
    with pytest.raises(EngineError, match="this run began with"):
        rendered(segments, settings)
    things_are_dark(network, 0.3)
    with MicroBatcher(IdentityEditor(), seed=1) as batcher:
        told = [stages.render_stage(segment, settings, batcher)["notes"] for segment in segments]
    assert all(FADES in notes for notes in told), told


@pytest.mark.parametrize("stage", ["render", "finish"])
def test_a_source_that_changed_is_refused_by_each_stage(row, stage):
    segments = planned(row)
    if stage == "finish":
        rendered(segments)
    source = Path(row["source"])
    source.write_bytes(source.read_bytes()[:-1] + b"!")
    with pytest.raises(MediaError, match="was changed while the job ran; nothing was made of it"):
        rendered(segments) if stage == "render" else stages.finish_stage(row, WHOLE)
    assert not Path(row["output"]).exists()


def test_a_segment_is_made_again_where_a_piece_of_its_matte_is_gone_or_changed(row):
    wished = replace(WHOLE, elements=ElementWish(matte="png"))
    segments = planned(row, wished)
    rendered(segments, wished)
    assert planned(row, wished) == []
    folder = stages.folder_of(row).job_folder
    pieces = sorted(folder.glob("*.matte.zip"))
    assert len(pieces) == len(segments) >= 2
    pieces[0].unlink()
    pieces[1].write_bytes(pieces[1].read_bytes()[:-1] + b"x")
    assert [s["number"] for s in planned(row, wished)] == [0, 1]
    with pytest.raises(PipelineError, match="run again"):
        stages.finish_stage(row, wished)
    assert not any(Path(row["output"]).parent.glob("*"))
    rendered(planned(row, wished), wished)
    told = stages.finish_stage(row, wished)
    made = sorted(path.name for path in Path(row["output"]).parent.iterdir())
    assert made == ["talk.smile.matte", "talk.smile.matte.csv", "talk.smile.mp4"]
    assert len(told["elements"].splitlines()) == 2
    assert planned(row, WHOLE) != []  # without them it is another request


BRIEF = replace(WHOLE, sheet=parse_sheet(
    "version: 1\nchannels: {AU12: [[0s, 0], [0.04s, 3], [0.12s, 3], [0.16s, 0]]}\n", "brief"
))  # fmt: skip


def in_groups(source: str, path: Path) -> None:
    """The clip's pictures anew, in closed groups of eight."""
    options = {"g": "8", "preset": "veryfast", "x264-params": "open-gop=0:scenecut=0"}
    with av.open(source) as given, av.open(str(path), "w") as made:
        (seen,) = given.streams.video
        stream = made.add_stream("libx264", rate=seen.average_rate, options=options)
        stream.width, stream.height, stream.pix_fmt = seen.width, seen.height, "yuv420p"
        for frame in given.decode(seen):
            frame.pict_type = av.video.frame.PictureType.NONE
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))


@pytest.mark.parametrize("holds", [True, False])
def test_where_a_copy_fails_its_check_all_is_encoded_and_the_report_says_so(
    talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holds: bool
):
    source = tmp_path / "groups.mp4"
    in_groups(talk.path, source)
    out = tmp_path / "out.mp4"
    row: VideoRow = {**video_row(source, out, tmp_path / "_work"), "request": "asked"}
    rendered(planned(row, BRIEF), BRIEF)
    if not holds:
        monkeypatch.setattr(untouched, "first_difference", lambda *_: 24)
    verdict = stages.finish_stage(row, BRIEF)
    assert compare_files(str(source), str(out)).exit_status == 0
    words = "frames without an edit were encoded, not copied: frame 24 decodes otherwise"
    assert (verdict["copied"] > 20) is holds
    assert (words in verdict["notes"]) is not holds
    assert len(packets_of(source) & packets_of(out)) == verdict["copied"]


def packets_of(path: Path) -> set[bytes]:
    with av.open(str(path)) as container:
        return {bytes(packet) for packet in container.demux(video=0) if packet.size}


def test_rows_count_pictures_so_that_what_one_takes_is_the_same_of_fields(talk, tmp_path):
    frames = write_woven(
        tmp_path / "fields.mkv", woven(pictures_of(talk.inspection, 0, 8)), Fraction(25, 2)
    )
    made = video_row(frames, tmp_path / "out.mkv", tmp_path / "_work")
    fields: VideoRow = {**made, "request": "asked"}
    (chunk,) = spans(fields, stages.inspect_stage(fields, ANALYSIS))
    measured = stages.analyse_stage(chunk, ANALYSIS, MeshTracker(), MeshAUEstimator())
    assert (measured["frames"], measured["pictures"]) == (4, 8)
    again = stages.analyse_stage(chunk, ANALYSIS, MeshTracker(), MeshAUEstimator())
    assert again["pictures"] == 0, "found, not measured"
    _, faces = stages.assemble_stage(fields, ANALYSIS, MeshAUEstimator())
    (segment,) = spans(fields, stages.plan_stage(fields, faces, WHOLE, ONE))
    with MicroBatcher(IdentityEditor(), seed=1) as batcher:
        done = stages.render_stage(segment, WHOLE, batcher)
    assert (done["edited"], done["pictures"]) == (4, 8)

import dataclasses
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AU_NAMES
from pipeline.faces.chunks import Chunk, analyse_frames, read_chunk, write_chunk
from pipeline.faces.faces import Analysis, assemble
from pipeline.faces.table import from_table, read_analysis, to_table, write_analysis, write_tables


def without_frames(analysis: Analysis, lost: set[int]) -> Analysis:
    keep = ~np.isin(analysis.frame, list(lost))
    per_row = {
        f.name: getattr(analysis, f.name)[keep]
        for f in dataclasses.fields(analysis)
        if f.name not in ("frames", "cut", "neutral", "uncovered", "in_fields", "one_moment")
    }
    return dataclasses.replace(analysis, **per_row)


def test_the_demo_face_is_found_in_every_frame(talk):
    assert talk.analysis.faces == 1
    assert not talk.analysis.faceless.any()
    assert talk.analysis.frame.tolist() == list(range(talk.inspection.frames))
    assert np.isfinite(talk.analysis.intensity).all()


def test_chunk_borders_change_nothing_in_the_table(talk):
    tracker, estimator, last = MeshTracker(), MeshAUEstimator(), talk.inspection.frames - 1
    cut = last // 2
    chunks = [
        analyse_frames(talk.inspection, 0, cut, tracker, estimator),
        analyse_frames(talk.inspection, cut + 1, last, MeshTracker(), estimator),
    ]
    joined = assemble(talk.inspection.times_s, chunks, estimator)
    assert np.array_equal(joined.landmarks_px, talk.analysis.landmarks_px)
    assert np.array_equal(joined.intensity, talk.analysis.intensity)


def test_a_chunk_reads_back_as_it_was_written(talk, tmp_path):
    chunk = analyse_frames(talk.inspection, 3, 6, MeshTracker(), MeshAUEstimator())
    write_chunk(tmp_path / "c.npz", chunk)
    again = read_chunk(tmp_path / "c.npz")
    for field in dataclasses.fields(Chunk):
        assert np.array_equal(
            getattr(again, field.name), getattr(chunk, field.name), equal_nan=True
        )


def test_a_clip_without_faces_gives_a_table_all_the_same(talk):
    blank = Chunk(
        frame=np.zeros(0, np.int64),
        field=np.zeros(0, np.int8),
        score=np.zeros(0, np.float32),
        pose=np.zeros((0, 3), np.float32),
        box=np.zeros((0, 4), np.float32),
        landmarks_px=np.zeros((0, 68, 2), np.float32),
        hands_px=np.zeros((0, 2, 21, 2), np.float32),
        features=np.zeros((0, len(MeshAUEstimator().feature_names)), np.float32),
        signatures=np.zeros((talk.inspection.frames, 432), np.uint8),
        in_fields=np.zeros(0, np.int64),
        steps=np.zeros(0, np.float32),
    )
    analysis = assemble(talk.inspection.times_s, [blank], MeshAUEstimator())
    table = to_table(analysis, talk.inspection)
    assert table.num_rows == talk.inspection.frames
    assert table["track"].null_count == table.num_rows
    assert from_table(table).faceless.all()


def test_every_frame_has_a_row_with_or_without_a_face(talk):
    lost = {4, 5, 20}
    table = to_table(without_frames(talk.analysis, lost), talk.inspection)
    assert table["frame"].to_pylist() == list(range(talk.inspection.frames))
    assert {i for i, t in enumerate(table["track"].to_pylist()) if t is None} == lost
    assert np.isnan(table["AU12"].to_numpy()[sorted(lost)]).all()
    assert table.column_names[:10] == [
        *("video", "frame", "field", "pts", "time_s", "track", "score", "yaw", "pitch", "roll"),
    ]
    assert tuple(table.column_names[10:22]) == AU_NAMES


def test_the_table_is_the_analysis(talk, tmp_path):
    analysis = without_frames(talk.analysis, {0, 7})
    write_analysis(tmp_path / "a.parquet", analysis, talk.inspection)
    again = read_analysis(tmp_path / "a.parquet")
    for field in dataclasses.fields(Analysis):
        ours, kept = getattr(analysis, field.name), getattr(again, field.name)
        if field.name == "neutral":
            ours, kept = ([*rests, *rests.values()] for rests in (ours, kept))
            assert all(map(np.array_equal, kept, ours))
            continue
        is_known = field.name != "hands_px"
        assert np.array_equal(kept, ours, equal_nan=not is_known), field.name


def test_several_videos_make_one_table_in_both_formats(talk, tmp_path):
    one = tmp_path / "one.parquet"
    write_analysis(one, talk.analysis, talk.inspection)
    for suffix in ("parquet", "csv"):
        write_tables(tmp_path / f"all.{suffix}", {"a": one, "b": one})
    whole = pq.read_table(tmp_path / "all.parquet")
    flat = pa_csv.read_csv(tmp_path / "all.csv")
    assert whole.num_rows == flat.num_rows == 2 * talk.inspection.frames
    points = whole["landmarks_px"].combine_chunks().flatten().to_numpy().reshape(-1, 68, 2)
    assert np.allclose(flat["ly67"].to_numpy(), points[:, 67, 1], atol=1e-3)
    assert "landmarks_px" not in flat.column_names


HOURS = 3 * 3600 * 25
"""Frames of the longest clip that is promised to fit."""


def made_up(frames: int):
    """Chunks of a clip of one face, one after the other; with a frame in a hundred without it."""
    estimator, random = MeshAUEstimator(), np.random.default_rng(3)
    points = random.uniform(100, 300, (68, 2)).astype(np.float32)
    for first in range(0, frames, 128):
        frame = np.arange(first, min(first + 128, frames))
        seen = frame[frame % 100 != 50]
        shift = np.sin(seen / 40)[:, None, None].astype(np.float32)
        yield Chunk(
            frame=seen,
            field=np.zeros(len(seen), np.int8),
            score=np.ones(len(seen), np.float32),
            pose=np.zeros((len(seen), 3), np.float32),
            box=np.tile(np.float32([100, 100, 300, 300]), (len(seen), 1)),
            landmarks_px=points + shift,
            hands_px=np.full((len(seen), 2, 21, 2), np.nan, np.float32),
            features=random.uniform(0, 1, (len(seen), len(estimator.feature_names))).astype("f4"),
            signatures=random.integers(0, 9, (len(frame), 432), np.uint8),
            in_fields=np.zeros(0, np.int64),
            steps=np.zeros(0, np.float32),
        )


def peak_of_linking(frames: int, folder) -> int:
    """Bytes held at most while a clip is linked, its table written and read back."""
    times_s, path = np.arange(frames) / 25, folder / f"{frames}.parquet"
    clip = SimpleNamespace(
        info=SimpleNamespace(path="clip.mp4"), index=SimpleNamespace(pts=np.arange(frames)),
        times_s=times_s,
    )  # fmt: skip
    tracemalloc.start()
    try:
        made = assemble(times_s, made_up(frames), MeshAUEstimator())
        write_analysis(path, made, clip)
        again = read_analysis(path)
        assert len(again.frame) == len(made.frame) > 0.98 * frames
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_linking_three_hours_holds_hardly_more_than_linking_minutes(tmp_path):
    """Its table lies in files; only what linking compares is held."""
    warm, short, long = 300, 4_200, 6_000
    peaks = [peak_of_linking(frames, tmp_path) for frames in (warm, short, long)]
    per_frame = (peaks[2] - peaks[1]) / (long - short)
    assert per_frame * HOURS < 110e6, f"{per_frame:.0f} bytes per frame"

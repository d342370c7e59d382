"""Foreign tables: times, scales, losses, and everything that can be wrong with a file."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keyframes.au import AU_COLUMN, AU_NAMES, AUIntensity
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError
from keyframes.formats.blendshapes.arkit import ROTATIONS, SHAPES
from keyframes.formats.recognise import read_table, table_format
from keyframes.formats.rows.options import Options
from keyframes.load import inspect_sheet, load_sheet, parse_sheet


def write_csv(path: Path, header: str, rows: Sequence[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def live_link(path: Path, frames: int, fps: int = 60, start_s: int = 3600) -> Path:
    """A take in which the mouth smiles linearly to 1, wider on the left, and the eyes blink."""
    header = "Timecode,BlendShapeCount," + ",".join((*SHAPES, *ROTATIONS))
    rows: list[str] = []
    for index in range(frames):
        second, frame = divmod(index, fps)
        clock = start_s + second
        label = f"{clock // 3600 % 24:02}:{clock // 60 % 60:02}:{clock % 60:02}:{frame:02}.250"
        smile = index / (frames - 1)
        values = dict.fromkeys((*SHAPES, *ROTATIONS), 0.0)
        values |= {"MouthSmileLeft": smile, "MouthSmileRight": smile / 2, "EyeBlinkLeft": 0.9}
        rows.append(f"{label},61," + ",".join(f"{value:.6f}" for value in values.values()))
    return write_csv(path, header, rows)


def test_live_link_times_come_from_timecode_and_scale_is_0_to_5(tmp_path: Path) -> None:
    table = read_table(live_link(tmp_path / "take.csv", 121))
    assert table.times_s == pytest.approx(np.arange(121) / 60, abs=1e-9)
    smile = table.values[:, AU_COLUMN[12]]
    assert smile[0] == 0
    assert smile[-1] == pytest.approx(5 * 0.75, abs=1e-5)


def test_live_link_reports_rate_drops_and_uneven_sides(tmp_path: Path) -> None:
    notes = "; ".join(read_table(live_link(tmp_path / "take.csv", 121)).notes)
    assert "60 fps by its largest frame number" in notes
    assert "its eyes shut; left to the actor" in notes
    assert "left and right differ and were averaged: MouthSmile" in notes


def test_a_live_link_take_past_midnight_goes_on(tmp_path: Path) -> None:
    table = read_table(live_link(tmp_path / "late.csv", 180, start_s=24 * 3600 - 1))
    assert table.times_s == pytest.approx(np.arange(180) / 60, abs=1e-9)


def test_live_link_names_match_in_any_case(tmp_path: Path) -> None:
    path = live_link(tmp_path / "take.csv", 61)
    header, rest = path.read_text().split("\n", 1)
    path.write_text(header.lower().replace("timecode", "TimeCode") + "\n" + rest)
    assert read_table(path).values[-1, AU_COLUMN[12]] == pytest.approx(3.75, abs=1e-5)


def test_an_edited_arkit_table_changes_what_shapes_mean(tmp_path: Path) -> None:
    live_link(tmp_path / "take.csv", 61)
    (tmp_path / "mine.yaml").write_text("version: 1\naus: {AU12: {MouthSmileRight: 2.0}}\n")
    options = Options(arkit_table=tmp_path / "mine.yaml")
    table = read_table(tmp_path / "take.csv", options=options)
    assert table.aus == (12,)
    assert table.values[-1, AU_COLUMN[12]] == pytest.approx(5.0, abs=1e-5)


def test_an_arkit_table_with_unknown_names_is_refused_with_places(tmp_path: Path) -> None:
    live_link(tmp_path / "take.csv", 10)
    table = tmp_path / "mine.yaml"
    table.write_text("version: 1\naus:\n  AU12: {MouthSmirk: 1}\n  AU13: {JawOpen: 1}\n")
    with pytest.raises(KeyframeError, match=r"mine\.yaml:3:10: .*unknown blendshape 'MouthSmirk'"):
        read_table(tmp_path / "take.csv", options=Options(arkit_table=table))


OPENFACE = "frame, face_id, timestamp, confidence, success, AU01_r, AU12_r, AU45_r, AU12_c"


def test_openface_with_spaces_after_commas_and_lost_frames(tmp_path: Path) -> None:
    rows = ["1, 0, 0.000, 0.98, 1, 0.5, 1.0, 2, 1", "2, 0, 0.033, 0.1, 0, 9, 9, 0, 0"]
    rows += ["4, 0, 0.100, 0.98, 1, 5.4, 2.0, 0, 1"]
    table = read_table(write_csv(tmp_path / "of.csv", OPENFACE, rows))
    assert table.times_s.tolist() == [0.0, 0.033, 0.1]
    assert np.isnan(table.values[1]).all()
    assert table.values[2, AU_COLUMN[1]] == 5.0
    assert table.aus == (1, 12)
    notes = "; ".join(table.notes)
    assert table.lids is None
    assert "rows without a face: 1 of 3" in notes
    assert "values outside 0 to 5, held to that range: 1" in notes


def test_openface_of_several_faces_gives_the_one_asked_for(tmp_path: Path) -> None:
    rows = ["1,0,0.0,1,1,1,1,0,1", "1,1,0.0,1,1,4,4,0,1", "2,1,0.1,1,1,3,3,0,1"]
    path = write_csv(tmp_path / "of.csv", OPENFACE, rows)
    assert read_table(path, options=Options(track=1)).values[:, 0].tolist() == [4, 3]
    with pytest.raises(KeyframeError, match="no rows of face_id 7"):
        read_table(path, options=Options(track=7))


def test_libreface_is_aligned_by_time_since_faceless_rows_are_missing(tmp_path: Path) -> None:
    header = "frame_idx,frame_time_in_ms,au_1_intensity,au_12_intensity,au_7_intensity"
    rows = ["0,0.0,0,1,0", "1,40.0,0,2,0", "7,280.0,0,3,1"]
    table = read_table(write_csv(tmp_path / "lf.csv", header, rows))
    assert table.times_s == pytest.approx([0, 0.04, 0.28])
    assert table.values[:, AU_COLUMN[12]].tolist() == [1, 2, 3]


def test_pyfeat_needs_a_rate_and_takes_the_largest_face(tmp_path: Path) -> None:
    header = "frame,approx_time,FaceRectWidth,FaceScore,AU01,AU12,AU43"
    rows = ["0,00:00,80,1,0.1,0.2,0", "0,00:00,200,1,0.5,0.6,0", "3,00:00,210,1,0.7,1,0"]
    path = write_csv(tmp_path / "fex.csv", header, rows)
    with pytest.raises(KeyframeError, match="say fps of its video"):
        read_table(path)
    table = read_table(path, options=Options(fps=30))
    assert table.times_s == pytest.approx([0, 0.1])
    assert table.values[:, AU_COLUMN[12]] == pytest.approx([3.0, 5.0])
    small = read_table(path, options=Options(fps=30, track=1))
    assert small.values[:, AU_COLUMN[1]] == pytest.approx([0.5])


def analysis_columns(rows: int) -> dict[str, list[float] | list[str]]:
    columns: dict[str, list[float] | list[str]] = {
        "video": ["clip.mp4"] * rows,
        "frame": [float(i) for i in range(rows)],
        "time_s": [i / 25 for i in range(rows)],
        "track": [0.0] * rows,
    }
    return columns | {name: [i / rows for i in range(rows)] for name in AU_NAMES}


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_an_analysis_table_reads_the_same_from_parquet_and_csv(tmp_path: Path, suffix: str) -> None:
    columns = analysis_columns(10)
    path = tmp_path / f"table{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    else:
        rows = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
        write_csv(path, ",".join(columns), rows)
    table = read_table(path)
    assert table.times_s == pytest.approx(np.arange(10) / 25)
    assert table.values[:, 3] == pytest.approx(np.arange(10) / 10)


def test_an_analysis_table_of_several_videos_is_refused(tmp_path: Path) -> None:
    columns = analysis_columns(4)
    columns["video"] = ["a.mp4", "a.mp4", "b.mp4", "b.mp4"]
    pq.write_table(pa.table(columns), tmp_path / "table.parquet")
    with pytest.raises(KeyframeError, match=r"2 videos \(a\.mp4, b\.mp4\); expected one"):
        read_table(tmp_path / "table.parquet")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("timestamp,AU01_r\n", "a header without rows"),
        ("timestamp,AU01_r\n0,1\n0,2\n", r":3: timestamp: 0 s is not after"),
        ("timestamp,AU01_r\n0,1\n1\n", r":3: 1 cells; expected 2"),
        ("timestamp,AU01_r\n0,x\n", r":2: au01_r: got 'x'; expected a number"),
        ("timestamp,AU01_r\n,1\n", r":2: timestamp: no time"),
        ("timestamp,AU01_r\n0,inf\n", r":2: au01_r: got 'inf'"),
        ("timestamp,AU01_r,au01_r\n0,1,1\n", r":1: column 'au01_r' stands twice"),
        ("a,b\n1,2\n", "no known table: a, b; known formats: livelink"),
        ('timestamp,AU01_r\n"0,1\n', "not a CSV text"),
    ],
)
def test_a_broken_table_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(KeyframeError, match=said) as error:
        read_table(path)
    assert "\n" not in str(error.value)


def test_binary_and_missing_files_are_one_line_errors(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no")
    for name in ("x.csv", "x.parquet", "none.csv"):
        with pytest.raises(KeyframeError) as error:
            read_table(tmp_path / name)
        assert "\n" not in str(error.value)


def test_a_format_that_is_named_is_believed(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "of.csv", "timestamp,AU01_r", ["0,1"])
    assert table_format(path) == "openface"
    with pytest.raises(KeyframeError, match="no column 'frame_time_in_ms'"):
        read_table(path, "libreface")


def clip(duration_s: float = 4.0, fps: int = 25) -> Timeline:
    return Timeline(np.arange(round(duration_s * fps)) / fps, duration_s, Fraction(fps))


def unknown(timeline: Timeline) -> AUIntensity:
    return AUIntensity(np.full((len(timeline.times_s), 12), np.nan, np.float32))


def openface_ramp(path: Path, skip: tuple[float, float] = (0, 0)) -> Path:
    """30 fps, 3 s: neutral at 0.5 for a second, then a smile that rises by 2 per second."""
    times = [i / 30 for i in range(91)]
    rows = [f"{t:.6f},1,{0.5 + 2 * max(0, t - 1):.6f}" for t in times if not skip[0] < t < skip[1]]
    return write_csv(path, "timestamp,success,AU12_r", rows)


def test_an_imported_performance_plays_at_its_own_time_on_other_frame_times(
    tmp_path: Path,
) -> None:
    openface_ramp(tmp_path / "take.csv")
    (tmp_path / "drive.yaml").write_text(
        "version: 1\nimport: {file: take.csv, gain: {AU12: 1.5}, start: 0.5s}\n"
    )
    timeline = clip(3.0, 24)
    asked = load_sheet(str(tmp_path / "drive.yaml")).deltas(timeline, unknown(timeline)).values
    expected = 1.5 * 2 * np.clip(timeline.times_s - 1.5, 0, None)
    inside = timeline.times_s >= 0.5
    assert asked[inside, AU_COLUMN[12]] == pytest.approx(expected[inside], abs=1e-4)
    assert (np.delete(asked, AU_COLUMN[12], axis=1) == 0).all()


def test_short_gaps_are_bridged_and_long_ones_left_to_the_actor(tmp_path: Path) -> None:
    timeline = clip(3.0, 30)
    for skip, dip in (((2.0, 2.2), False), ((1.5, 2.5), True)):
        openface_ramp(tmp_path / "take.csv", skip)
        (tmp_path / "drive.yaml").write_text("version: 1\nimport: take.csv\n")
        evaluation = load_sheet(str(tmp_path / "drive.yaml")).evaluate(timeline, unknown(timeline))
        smile = evaluation.delta.values[:, AU_COLUMN[12]]
        at = 60 if dip else 63
        if dip:
            assert smile[at] == 0
            assert any("left to the actor" in line for line in evaluation.warnings)
        else:
            assert smile[at] == pytest.approx(2 * (timeline.times_s[at] - 1), abs=0.02)
            assert any("gaps up to 0.25 s, bridged: 1" in line for line in evaluation.warnings)


def test_a_neutral_range_can_be_named(tmp_path: Path) -> None:
    openface_ramp(tmp_path / "take.csv")
    (tmp_path / "drive.yaml").write_text(
        "version: 1\nimport: {file: take.csv, neutral: [2.9s, 3s], trim: [1s, end]}\n"
    )
    timeline = clip(2.0, 30)
    asked = load_sheet(str(tmp_path / "drive.yaml")).deltas(timeline, unknown(timeline)).values
    assert asked[0, AU_COLUMN[12]] == pytest.approx(0.5 - 4.4, abs=0.1)


def test_an_absolute_import_asks_for_the_performers_own_intensities(tmp_path: Path) -> None:
    openface_ramp(tmp_path / "take.csv")
    (tmp_path / "drive.yaml").write_text("version: 1\nmode: absolute\nimport: take.csv\n")
    timeline = clip(3.0, 30)
    measured = AUIntensity(np.full((90, 12), 1.0, np.float32))
    asked = load_sheet(str(tmp_path / "drive.yaml")).deltas(timeline, measured).values
    assert asked[0, AU_COLUMN[12]] == pytest.approx(-0.5, abs=1e-4)


def test_the_digest_covers_the_imported_file(tmp_path: Path) -> None:
    openface_ramp(tmp_path / "take.csv")
    sheet = tmp_path / "drive.yaml"
    sheet.write_text("version: 1\nimport: take.csv\n")
    before = load_sheet(str(sheet)).digest
    assert load_sheet(str(sheet)).digest == before
    openface_ramp(tmp_path / "take.csv", (2.0, 2.1))
    assert load_sheet(str(sheet)).digest != before


def test_a_broken_import_is_reported_at_its_line_in_the_sheet(tmp_path: Path) -> None:
    (tmp_path / "take.csv").write_text("a,b\n1,2\n")
    text = "version: 1\nlayers:\n  - import: take.csv\n  - import: {file: none.csv}\n"
    _, problems = inspect_sheet(text, "drive.yaml", folder=tmp_path)
    assert [p.place.line for p in problems] == [3, 4]
    assert "no known table" in problems[0].message
    assert "no such file" in problems[1].message


def test_a_driving_video_waits_for_its_table(tmp_path: Path) -> None:
    sheet = parse_sheet(
        "version: 1\nimport: {video: drive.mp4, gain: 2, track: 1}\n", "v.yaml", folder=tmp_path
    )
    video = str(tmp_path / "drive.mp4")
    assert sheet.videos() == ((video, 1),)
    timeline = clip(3.0, 30)
    with pytest.raises(KeyframeError, match=r"v\.yaml:2:9: import: driving video .* not analysed"):
        sheet.deltas(timeline, unknown(timeline))
    table = read_table(openface_ramp(tmp_path / "take.csv"))
    resolved = sheet.with_tables({(video, 1): table})
    assert resolved.videos() == ()
    assert resolved.digest != sheet.digest
    asked = resolved.deltas(timeline, unknown(timeline)).values[:, AU_COLUMN[12]]
    assert asked[60] == pytest.approx(2 * 2 * 1.0, abs=0.01)

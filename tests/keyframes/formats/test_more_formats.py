"""Blendshapes of any tool, iFacialMocap, OpenFace 3, LibreFace 2, After Effects, OTIO out."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.curves.convert import Conversion, convert
from keyframes.au import AU_COLUMN, AUIntensity
from keyframes.clock.timeline import even_timeline
from keyframes.errors import KeyframeError
from keyframes.formats import aftereffects
from keyframes.formats.blendshapes.arkit import SHAPES
from keyframes.formats.otio import read_events
from keyframes.formats.recognise import read_table, table_format
from keyframes.formats.rows.options import Options

FRAMES = 30
SMILE = np.linspace(0, 1, FRAMES)


def camel(name: str) -> str:
    return name[0].lower() + name[1:]


def apple(name: str) -> str:
    return camel(name).replace("Left", "_L").replace("Right", "_R")


def of_frame(
    frame: int, spelled: Callable[[str], str] = camel, scale: float = 1
) -> dict[str, float]:
    return {
        spelled(shape): scale * SMILE[frame] if "MouthSmile" in shape else 0.0 for shape in SHAPES
    }


def smile_of(path: Path, **said: Any) -> tuple[Any, Any]:
    table = read_table(path, options=Options(**said))
    return table.times_s, table.values[:, AU_COLUMN[12]]


def check(path: Path, rate: float = 30, **said: Any) -> None:
    times, smile = smile_of(path, **said)
    assert times == pytest.approx(np.arange(FRAMES) / rate, abs=1e-6)
    assert smile == pytest.approx(5 * SMILE, abs=1e-3)


CSV_CLOCKS = {
    "time": lambda f: f / 30,
    "time_s": lambda f: f / 30,
    "timestamp_ms": lambda f: f / 30 * 1000,
    "timestamp": lambda f: f / 30 * 1000,
    "timeCode": lambda f: f / 30,
    "time_us": lambda f: f / 30 * 1e6,
}


@pytest.mark.parametrize("clock", CSV_CLOCKS)
@pytest.mark.parametrize("spelled", [camel, str, apple, lambda s: f"blendShapes.{s}"])
def test_blendshape_tables_with_a_plain_time_column(
    tmp_path: Path, clock: str, spelled: Callable[[str], str]
) -> None:
    lines = [",".join([clock, "_neutral", *(spelled(shape) for shape in SHAPES)])]
    for f in range(FRAMES):
        row = [CSV_CLOCKS[clock](f), 0, *of_frame(f).values()]
        lines.append(",".join(f"{x:.9f}" for x in row))
    path = tmp_path / "b.csv"
    path.write_text("\n".join(lines) + "\n")
    assert table_format(path) == "blendshapes"
    check(path)


def test_blendshape_tables_that_count_frames_ask_for_a_rate(tmp_path: Path) -> None:
    rows = [",".join(map(str, [f, *of_frame(f).values()])) for f in range(FRAMES)]
    path = tmp_path / "b.csv"
    path.write_text("\n".join(["frame," + ",".join(of_frame(0)), *rows]) + "\n")
    with pytest.raises(KeyframeError, match="'frame' counts frames; say fps"):
        read_table(path)
    check(path, fps=30)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize(("delimiter", "point"), [(",", "."), (";", "."), (";", ","), ("\t", ",")])
def test_delimiters_decimal_commas_and_utf_16(
    tmp_path: Path, encoding: str, delimiter: str, point: str
) -> None:
    rows = [["time", *of_frame(0)]]
    for f in range(FRAMES):
        numbers = (f / 30, *of_frame(f).values())
        rows.append([f"{x:.6f}".replace(".", point) for x in numbers])
    path = tmp_path / "b.csv"
    path.write_text("\r\n".join(delimiter.join(row) for row in rows) + "\r\n", encoding, newline="")
    check(path)


def mediapipe(f: int) -> dict[str, Any]:
    scores = [{"categoryName": k, "score": v} for k, v in of_frame(f).items()]
    return {"timestampMs": f * 1000 / 30, "faceBlendshapes": [{"categories": scores}]}


JSONS: dict[str, Any] = {
    "audio2face": {
        "exportFps": 30.0,
        "numPoses": 52,
        "numFrames": FRAMES,
        "facsNames": [camel(s) for s in SHAPES],
        "weightMat": [list(of_frame(f).values()) for f in range(FRAMES)],
    },
    "mediapipe": [mediapipe(f) for f in range(FRAMES)],
    "frames": {
        "fps": 30,
        "frames": [{"frame": f, "blendshapes": of_frame(f)} for f in range(FRAMES)],
    },
    "flat": [{"time": f / 30, **of_frame(f)} for f in range(FRAMES)],
    "numbered": {"fps": 30, "data": [{"blendShapes": of_frame(f, apple)} for f in range(FRAMES)]},
}


@pytest.mark.parametrize("kind", JSONS)
def test_blendshapes_as_json(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(json.dumps(JSONS[kind]))
    check(path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"a": 1}', "[1, 2]", '[{"x": {}}]', "nul"])
def test_other_json_is_a_one_line_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(KeyframeError, match=r"b\.json") as error:
        read_table(tmp_path / "b.json")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("mark", ["-", "&"])
@pytest.mark.parametrize("stamped", [True, False])
def test_ifacialmocap_text(tmp_path: Path, mark: str, stamped: bool) -> None:
    lines: list[str] = []
    for f in range(FRAMES):
        shapes = "|".join(f"{k}{mark}{v:.3f}" for k, v in of_frame(f, apple, 100).items())
        time = f"{f / 30:.6f}|" if stamped else ""
        lines.append(f"{time}trackingStatus{mark}1|{shapes}|=head#1,2,3,0,0,0|leftEye#1,2,3|")
    path = tmp_path / "log.txt"
    path.write_text("\n".join(lines))
    assert table_format(path) == "ifacialmocap"
    if not stamped:
        assert "60 frames a second assumed" in read_table(path).notes[0]
        check(path, rate=60)
    check(path, fps=30)


def test_openface_3_columns_are_read_by_their_place_and_said(tmp_path: Path) -> None:
    header = "frame,timestamp,confidence," + ",".join(f"AU{n:02}_r" for n in range(1, 9))
    rows = [f"{f},{f / 30},0.9,0,0,{SMILE[f]},0,0,0,0,0" for f in range(FRAMES)]
    path = tmp_path / "of3.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    assert table_format(path) == "openface3"
    check(path)
    assert any("without an official list: au01_r is AU1" in n for n in read_table(path).notes)


def test_libreface_2_with_row_numbers_and_detections(tmp_path: Path) -> None:
    header = (
        ",frame_idx,frame_time_in_ms,au_1,au_12,au_1_intensity,au_12_intensity,facial_expression"
    )
    rows = [f"{f},{f},{f * 1000 / 30},1,1,0,{5 * SMILE[f]},Happiness" for f in range(FRAMES)]
    path = tmp_path / "lf.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    check(path)


def keyframe_text(name: str) -> str:
    return (
        "Adobe After Effects 8.0 Keyframe Data\r\n\r\n\tUnits Per Second\t29.97\r\n"
        f"\tSource Width\t1920\r\n\r\nEffects\t{name}\tSlider #2\r\n\tFrame\t\t\r\n"
        "\t0\t0\t\r\n\t90\t3\t\r\n\r\nTransform\tPosition\r\n\tFrame\tX pixels\tY pixels\r\n"
        "\t0\t5\t6\t\r\n\r\nEnd of Keyframe Data\r\n"
    )


def test_after_effects_keyframes_are_lines_between_keys_however_far_apart(tmp_path: Path) -> None:
    path = tmp_path / "ae.txt"
    path.write_text(keyframe_text("AU12 #1"), newline="")
    times, smile = smile_of(path)
    assert times.tolist() == pytest.approx([0, 90 * 1001 / 30000])
    assert smile.tolist() == [0, 3]
    made = tmp_path / "made.yaml"
    convert(str(path), Conversion(output=made, mode="absolute"))
    assert "AU12:\n    - [0.0000s, 0.000]" in made.read_text()
    path.write_text(keyframe_text("Slider Control #1"), newline="")
    with pytest.raises(KeyframeError, match="1 sliders without the name of an AU"):
        read_table(path)
    assert smile_of(path, aus=(12,))[1].tolist() == [0, 3]


def test_after_effects_text_comes_back_as_it_went_out(tmp_path: Path) -> None:
    clip = even_timeline(2.0, Fraction(24000, 1001))
    values = np.zeros((len(clip.times_s), 12), np.float32)
    values[:, AU_COLUMN[6]] = np.linspace(0, 4, len(values))
    path = tmp_path / "ae.txt"
    notes = aftereffects.write(path, clip, AUIntensity(values))
    assert notes == ["ae.txt: Slider Control 1 is AU6"]
    table = read_table(path, options=Options(aus=(6,)))
    assert np.abs(table.times_s - clip.times_s).max() < 1e-4
    assert table.values[:, AU_COLUMN[6]] == pytest.approx(values[:, AU_COLUMN[6]], abs=1e-4)


def test_poses_go_out_as_ranges_with_markers_and_come_back(tmp_path: Path) -> None:
    pytest.importorskip("opentimelineio", reason="needs the extra [curves]")
    source, made = tmp_path / "a.yaml", tmp_path / "a.otio"
    source.write_text(
        "version: 1\nlayers:\n  - {use: smile, start: 1s, end: 3s}\n"
        "  - {pose: 4B+17A, start: 2s, onset: 0.2s, apex: 1s, offset: 0.3s}\n"
    )
    assert convert(str(source), Conversion(output=made, duration=6)) == []
    assert [(e.name, round(e.start_s, 3), round(e.duration_s, 3)) for e in read_events(made)] == [
        ("smile", 1.0, 2.0),
        ("4B+17A", 2.0, 1.5),
    ]
    assert "apex of smile" in made.read_text()
    back = tmp_path / "back.yaml"
    assert convert(str(made), Conversion(output=back)) == []
    assert "start: 1s" in back.read_text()

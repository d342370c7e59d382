"""docs/curves.md, "I have …": every example is run on a small file of its tool."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyframes.au import AUIntensity
from keyframes.clock.timeline import even_timeline
from keyframes.formats.blendshapes.arkit import SHAPES
from keyframes.load import inspect_sheet, parse_sheet

PAGE = Path(__file__).resolve().parents[3] / "docs" / "curves.md"
SECTION = PAGE.read_text("utf-8").partition("## I have …")[2].partition("## Reference")[0]
EXAMPLES = re.findall(r"```yml\n(.*?)```", SECTION, re.DOTALL)
FRAMES = 90
SMILE = np.clip(np.linspace(-0.5, 1, FRAMES), 0, 1)


def rows(header: str, row: Callable[[int], str]) -> str:
    return "\n".join([header, *(row(frame) for frame in range(FRAMES))]) + "\n"


def shapes(frame: int, scale: float = 1) -> dict[str, float]:
    return {s: scale * SMILE[frame] * ("Smile" in s or "BrowInner" in s) for s in SHAPES}


def live_link() -> str:
    def row(f: int) -> str:
        label = f"01:00:{f // 60:02}:{f % 60:02}.000"
        return f"{label},52," + ",".join(f"{v:.4f}" for v in shapes(f).values())

    return rows("Timecode,BlendshapeCount," + ",".join(SHAPES), row)


def openface(scale: float = 5) -> str:
    header = "frame, face_id, timestamp, confidence, success, AU01_r, AU04_r, AU12_r, AU45_r"

    def row(f: int) -> str:
        level = scale * SMILE[f]
        return f"{f + 1}, 0, {f / 30:.3f}, 0.98, 1, {level:.2f}, {level:.2f}, {level:.2f}, 0"

    return rows(header, row)


def openface_3() -> str:
    header = "frame,timestamp," + ",".join(f"AU{n:02}_r" for n in range(1, 9))
    return rows(header, lambda f: f"{f},{f / 30:.3f}" + f",{SMILE[f]:.4f}" * 8)


def libreface() -> str:
    header = ",frame_idx,frame_time_in_ms,au_12_intensity,au_7_intensity"
    return rows(header, lambda f: f"{f},{f},{f * 100 / 3:.3f},{5 * SMILE[f]:.3f},0")


def fex() -> str:
    header = "frame,FaceRectX,FaceRectY,FaceRectWidth,FaceRectHeight,FaceScore,AU01,AU12,input"

    def row(f: int) -> str:
        name = "shot.mp4" if f < FRAMES // 2 else "other.mp4"
        return f"{f},9,9,99,99,0.99,{SMILE[f]:.3f},{SMILE[(2 * f) % FRAMES]:.3f},{name}"

    return rows(header, row)


def blendshapes() -> str:
    header = "time," + ",".join(SHAPES)
    return rows(header, lambda f: f"{f / 30:.4f}," + ",".join(map(str, shapes(f).values())))


def mediapipe() -> str:
    frames = [
        {
            "timestamp_ms": f * 1000 / 30,
            "face_blendshapes": [
                [{"category_name": k, "score": v} for k, v in shapes(f).items()],
            ],
        }
        for f in range(FRAMES)
    ]
    return json.dumps(frames)


def audio2face() -> str:
    matrix = [list(shapes(f).values()) for f in range(FRAMES)]
    return json.dumps({"exportFps": 30, "facsNames": list(SHAPES), "weightMat": matrix})


def ifacialmocap() -> str:
    def line(f: int) -> str:
        return "|".join(f"{k[0].lower()}{k[1:]}-{v:.0f}" for k, v in shapes(f, 100).items())

    return "\n".join(line(f) + "|=head#0,0,0,0,0,0|" for f in range(FRAMES))


def sliders() -> str:
    return (
        "Adobe After Effects 8.0 Keyframe Data\n\n\tUnits Per Second\t25\n\n"
        "Effects\tSlider Control #1\tSlider #2\n\tFrame\t\t\n\t0\t0\t\n\t50\t4\t\n\n"
        "End of Keyframe Data\n"
    )


def timeline_file(path: Path) -> None:
    otio = pytest.importorskip("opentimelineio", reason="needs the extra [curves]")
    timeline, track = otio.schema.Timeline("t"), otio.schema.Track("faces")
    length = otio.opentime.TimeRange(
        otio.opentime.RationalTime(0, 24), otio.opentime.RationalTime(48, 24)
    )
    track.append(otio.schema.Clip("laugh", source_range=length))
    timeline.tracks.append(track)
    path.write_text(otio.adapters.write_to_string(timeline, "otio_json"))


FILES: dict[str, Callable[[], str]] = {
    "take.csv": live_link,
    "openface.csv": openface,
    "openface3.csv": openface_3,
    "libreface.csv": libreface,
    "fex.csv": fex,
    "blendshapes.csv": blendshapes,
    "mediapipe.json": mediapipe,
    "a2f.json": audio2face,
    "ifacialmocap.txt": ifacialmocap,
    "sliders.txt": sliders,
    "percent.csv": lambda: openface(100),
}


def test_the_page_has_an_example_per_tool() -> None:
    named = {name for text in EXAMPLES for name in re.findall(r"\w+\.(?:csv|json|txt|otio)", text)}
    assert named == {*FILES, "expressions.otio"}


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs_on_a_file_of_its_tool(number: int, tmp_path: Path) -> None:
    text = EXAMPLES[number]
    for name, made in FILES.items():
        if name in text:
            (tmp_path / name).write_text(made())
    if "expressions.otio" in text:
        timeline_file(tmp_path / "expressions.otio")
    sheet, problems = inspect_sheet(text, f"example {number + 1}", folder=tmp_path)
    assert sheet is not None, [str(problem) for problem in problems]
    if sheet.videos():
        return
    clip = even_timeline(3.0, Fraction(25), "01:00:00:00")
    neutral = AUIntensity(np.zeros((75, 12), np.float32))
    assert sheet.evaluate(clip, neutral).delta.values.max() > 1


def test_the_program_that_edits_runs() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    names: dict[str, str] = {}
    exec(program, names)
    assert names["text"] == (
        "version: 1\nchannels:\n  AU12: [[0s, 0], [0.5s, 1.5], [1s, C]]  # mine\n"
        "layers: [{use: brow_raise, start: 2s}]\n"
    )
    parse_sheet(names["text"], "edited.yaml")

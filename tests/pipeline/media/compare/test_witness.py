"""The witness sees each kind of difference, and none where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.media.compare.findings import Verdict
from pipeline.media.compare.witness import compare_files

PTS = tuple(range(0, 12 * 512, 512))
PLAIN = {"pts": PTS, "gop": 6, "options": {"preset": "ultrafast", "crf": "12"}}
LOSSLESS = {**PLAIN, "options": {"preset": "ultrafast", "qp": "0"}}


def topics(source: str, output: str, verdict: Verdict = Verdict.LOST) -> set[str]:
    return {f.topic for f in compare_files(source, output).of(verdict)}


def test_a_file_holds_itself(footage):
    for description in (
        {**PLAIN, "sound": "aac", "rotation": 90, "sar": Fraction(4, 3)},
        {**PLAIN, "name": "a.mkv", "time_base": Fraction(1, 1000), "pts": tuple(range(0, 480, 40))},
        {"name": "a.ts", "pts": tuple(range(200_000, 243_200, 3600)), "sound": "mp2",
         "time_base": Fraction(1, 90000)},
        {"name": "f.mkv", "codec": "ffv1", "pix_fmt": "yuva444p", "options": {}, "pts": (0, 512)},
    ):  # fmt: skip
        path = footage(**description)
        found = compare_files(path, path)
        assert found.exit_status == 0, [f.words for f in found.of(Verdict.LOST, Verdict.LIMITED)]
        assert found.figures["exact_frames"] == found.figures["frames"][0]


@pytest.mark.parametrize(
    ("changed", "topic"),
    [
        ({"pts": PTS[:-1]}, "frames"),
        ({"pts": (*PTS[:5], PTS[5] + 3, *PTS[6:])}, "frame times"),
        ({"pts": tuple(2 * p for p in PTS), "time_base": Fraction(1, 25600)}, "time base"),
        ({"sar": Fraction(4, 3)}, "sample aspect"),
        ({"rotation": 180}, "rotation"),
        ({"pix_fmt": "yuv420p10le"}, "bit depth"),
        ({"pix_fmt": "yuv422p"}, "pixel format"),
        ({"colour": (1, 1, 1, 2)}, "range"),
        ({"colour": (1, 1, 5, 1)}, "matrix"),
        ({"colour": (9, 1, 1, 1)}, "primaries"),
        ({"colour": (1, 16, 1, 1)}, "transfer"),
        ({"size": (176, 120)}, "size"),
        ({"sound": "aac"}, "tracks"),
        ({"options": {"preset": "ultrafast", "crf": "40"}}, "pictures"),
        ({"options": {**PLAIN["options"], "x264-params": "tff=1", "flags": "+ildct+ilme"}},
         "field order"),
    ],
)  # fmt: skip
def test_each_difference_is_named(footage, changed, topic):
    assert topic in topics(footage(**PLAIN), footage(**{**PLAIN, **changed}))


def test_a_lost_or_changed_sound_is_named(footage):
    with_sound = footage(**PLAIN, sound="aac")
    assert topics(with_sound, footage(**PLAIN)) == {"audio 1 (aac)"}
    late = footage(**{**PLAIN, "pts": tuple(p + 512 for p in PTS)}, sound="aac")
    assert "frame times" in topics(with_sound, late)


def test_a_lossless_source_must_stay_exact(footage):
    worse = footage(**PLAIN)
    assert topics(footage(**LOSSLESS), worse) == {"pictures"}
    assert topics(footage(**LOSSLESS), footage(**LOSSLESS, metadata={"title": "x"})) == set()


def repainted(source: str, path: Path, frames: set[int], strength: int) -> str:
    """A lossless copy with a bright square on some frames."""
    with av.open(source) as old, av.open(str(path), "w") as new:
        video = new.add_stream("libx264", rate=25, options={"preset": "ultrafast", "qp": "0"})
        given = old.streams.video[0]
        video.width, video.height, video.pix_fmt = given.width, given.height, given.pix_fmt
        video.time_base = video.codec_context.time_base = given.time_base
        for number, frame in enumerate(old.decode(given)):
            frame.make_writable()
            frame.pict_type = 0
            if number in frames:
                luma = np.frombuffer(frame.planes[0], np.uint8).reshape(120, -1)
                luma[40:72, 40:72] ^= strength
            new.mux(video.encode(frame))
        new.mux(video.encode(None))
    return str(path)


def test_an_edit_of_an_area_is_told_from_a_loss(footage, tmp_path):
    source = footage(**LOSSLESS)
    edited = repainted(source, tmp_path / "edited.mp4", {3, 4, 7}, 0x40)
    found = compare_files(source, edited)
    assert found.figures["edited_frames"] == [3, 4, 7]
    assert found.figures["edited_frames_exact_outside"] == 3
    assert "pictures" not in {f.topic for f in found.of(Verdict.LOST)}
    assert "3–4, 7" in str(found.findings)


def test_a_faint_edit_of_a_lossless_source_is_no_loss(footage, tmp_path):
    source = footage(**LOSSLESS)
    found = compare_files(source, repainted(source, tmp_path / "faint.mp4", {3, 4}, 0x01))
    assert found.figures["edited_frames"] == [3, 4]
    assert found.figures["edited_frames_exact_outside"] == 2
    assert "pictures" not in {f.topic for f in found.of(Verdict.LOST)}


def test_times_that_a_container_cannot_hold_are_its_limit(footage):
    ntsc = {**PLAIN, "pts": tuple(range(0, 12 * 1001, 1001))}
    fine = footage(**ntsc, time_base=Fraction(1, 30000))
    rounded = tuple(round(n * 1001 / 30) for n in range(12))
    coarse = footage(**{**ntsc, "name": "a.mkv", "pts": rounded}, time_base=Fraction(1, 1000))
    found = compare_files(fine, coarse)
    assert "frame times" in {f.topic for f in found.of(Verdict.LIMITED)}
    assert found.exit_status == 3


def test_the_command_says_it_in_words_json_and_status(footage, tmp_path):
    good, bad = footage(**PLAIN), footage(**{**PLAIN, "rotation": 180})

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "jobs/verify.py", *arguments], capture_output=True, text=True,
            cwd=Path(__file__).resolve().parents[4], check=False,
        )  # fmt: skip

    assert run(good, good).returncode == 0
    told = run(good, bad)
    assert told.returncode == 1
    assert "lost    rotation" in told.stdout
    report = json.loads(run("--json", good, bad).stdout)
    assert report["exit_status"] == 1
    assert {"topic": "rotation", "verdict": "lost"}.items() <= {
        k: v for f in report["findings"] if f["topic"] == "rotation" for k, v in f.items()
    }.items()
    missing = run(good, str(tmp_path / "gone.mp4"))
    assert missing.returncode == 2
    assert "gone.mp4: no such file" in missing.stderr

"""Quality follows the source; what would be lowered is refused or asked for by name."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import MediaError
from pipeline.media.compare.witness import compare_files
from pipeline.media.planes import all_plane_views
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.media.read.source_packets import SourceFrames
from pipeline.media.write.check import check_output
from pipeline.media.write.encoding.encode import PieceWriter
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.media.write.mux import finish
from pipeline.settings import EncodeWish

EIGHT = {"pts": tuple(range(8)), "time_base": Fraction(1, 24)}
MASTER = {**EIGHT, "name": "m.mov", "pix_fmt": "yuv422p10le", "gop": 1,
          "options": {"preset": "ultrafast", "crf": "2"}}  # fmt: skip


def made(source: str, folder, name: str, wish: EncodeWish | None = None):
    """A whole output of a source with nothing edited, every frame encoded."""
    seen = inspect_video(source)
    settings = mirror_settings(seen.info, "ultrafast", index=seen.index, wish=wish)
    piece = str(folder / f"{name}.piece")
    with PieceWriter(piece, seen.info, settings) as writer:
        for frame in decode_range(source, seen.info, seen.index, 0, len(seen.index) - 1):
            writer.write(frame)
    return finish(seen.info, seen.index, [piece], str(folder / name), settings)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "name", "options"),
    [
        ("libx264", "yuv420p", "a.mp4", {"qp": "0", "preset": "ultrafast"}),
        ("libx264", "yuv444p", "b.mkv", {"qp": "0", "preset": "ultrafast"}),
        ("libx264", "yuv422p10le", "c.mov", {"qp": "0", "preset": "ultrafast"}),
        ("libx265", "yuv420p10le", "d.mkv",
         {"preset": "ultrafast", "x265-params": "lossless=1:log-level=none"}),
        ("libvpx-vp9", "yuv444p", "e.webm", {"lossless": "1", "deadline": "realtime"}),
        ("ffv1", "yuva422p10le", "f.mkv", {}),
        ("qtrle", "argb", "g.mov", {}),
        ("png", "rgba", "h.mov", {}),
        ("utvideo", "gbrap", "i.avi", {}),
        ("ffvhuff", "yuva420p", "j.avi", {}),
    ],
)  # fmt: skip
def test_what_is_lossless_stays_exact_in_every_plane(
    footage, tmp_path, codec, pix_fmt, name, options
):
    rgb = pix_fmt in ("argb", "rgba", "gbrap")
    source = footage(**{**EIGHT, "time_base": Fraction(1, 25)}, name=name, codec=codec,
                     pix_fmt=pix_fmt, options=options,
                     colour=(2, 2, 0 if rgb else 2, 2 if rgb else 0))  # fmt: skip
    finished = made(source, tmp_path, f"out{name[1:]}")
    found = compare_files(source, finished.path)
    assert found.figures["exact_frames"] == 8, found.summary
    assert found.exit_status == 0, found.summary


def test_a_master_keeps_its_quality_over_five_generations(footage, tmp_path):
    source = path = footage(**MASTER)
    for generation in range(5):
        path = made(path, tmp_path, f"{generation}.mov").path
    figures = compare_files(source, path).figures
    assert min(db or 99 for db in figures["psnr_mean_db"]) >= 48
    assert max(abs(shift) for shift in figures["mean_shift"]) < 0.2  # of 1023


def noisy_prores(clip: Path, target: Path) -> str:
    """A grainy ProRes 422 HQ master of a clip's first 16 frames."""
    grain = np.random.default_rng(5)
    with av.open(str(clip)) as old, av.open(str(target), "w") as new:
        video = new.add_stream("prores_ks", rate=24, options={"profile": "3"})
        video.width, video.height, video.pix_fmt = 256, 256, "yuv422p10le"
        for number, frame in enumerate(islice(old.decode(video=0), 16)):
            shown = frame.reformat(256, 256, "yuv422p10le")
            luma = all_plane_views(shown)[0]
            luma[...] = np.clip(luma + grain.integers(-40, 41, luma.shape), 64, 940)
            shown.pts, shown.time_base = number, Fraction(1, 24)
            new.mux(video.encode(shown))
        new.mux(video.encode(None))
    return str(target)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["g_camera_intra.mov", "prores_hq.mov", "g_lossless444.mkv", "g_lossless_hevc.mkv"]
)
def test_masters_that_people_reported_keep_their_quality_over_five_generations(
    shared, tmp_path, name
):
    """Every frame encoded every time; what a job copies is the source itself."""
    source = str(shared / "media/reported" / name)
    if name == "prores_hq.mov":
        source = noisy_prores(shared / "media/clips/d14.mp4", tmp_path / name)
    path, shifts = source, list[float]()
    for generation in range(5):
        path = made(path, tmp_path, f"{generation}{Path(name).suffix}").path
        figures = compare_files(source, path).figures
        assert min(db or 99 for db in figures["psnr_mean_db"]) >= 48
        shifts.append(max(map(abs, figures["mean_shift"])))
        if "lossless" in name:
            assert figures["exact_frames"] == figures["frames"][0]
    assert max(shifts) < 0.2  # of 1023
    assert figures["video_bytes"][1] >= 0.9 * figures["video_bytes"][0]


def test_the_report_says_how_it_was_encoded(footage, tmp_path):
    told = made(footage(**MASTER), tmp_path, "out.mov").encoded
    assert told.startswith("libx264 yuv422p10le")
    assert "crf=4" in told
    assert "% of the source's bytes" in told


@pytest.mark.parametrize(
    ("wish", "name", "codec", "pix_fmt"),
    [
        (EncodeWish(codec="ffv1"), "o.mkv", "ffv1", "yuv420p"),
        (EncodeWish(codec="prores"), "o.mov", "prores", "yuv422p10le"),
        (EncodeWish(codec="hevc", bit_depth=10), "o.mp4", "hevc", "yuv420p10le"),
        (EncodeWish(quality="lossless"), "o.mp4", "h264", "yuv420p"),
        (EncodeWish(quality="30"), "o.mp4", "h264", "yuv420p"),
        (EncodeWish(codec="dnxhr"), "o.mov", "dnxhd", "yuv422p"),
    ],
)  # fmt: skip
def test_another_codec_depth_or_quality_is_made_when_asked_for(
    footage, tmp_path, wish, name, codec, pix_fmt
):
    source = footage(**EIGHT, size=(320, 240), options={"preset": "ultrafast", "crf": "20"})
    finished = made(source, tmp_path, name, wish)
    info = inspect_video(finished.path).info
    assert (info.codec, info.pix_fmt) == (codec, pix_fmt)
    if wish.quality == "lossless":
        assert compare_files(source, finished.path).figures["exact_frames"] == 8
    if wish.quality == "30":
        assert "crf=30" in finished.encoded


def refusal(source: str, wish: EncodeWish, **changes) -> str:
    seen = inspect_video(source)
    info = dataclasses.replace(seen.info, **changes)
    with pytest.raises(MediaError) as refused:
        mirror_settings(info, index=seen.index, wish=wish)
    return str(refused.value)


def test_what_cannot_be_is_refused_with_the_way_out(footage):
    source = footage(**EIGHT)
    assert "--codec hevc or av1" in refusal(
        source, EncodeWish(), codec="vp9", pix_fmt="yuv420p10le"
    )
    assert "--codec hevc or av1" in refusal(source, EncodeWish(), codec="wmv3")
    fields = refusal(source, EncodeWish(), codec="wmv3", field_order=2)
    assert "--codec h264 or prores or ffv1" in fields  # what keeps them
    assert "known: same, h264" in refusal(source, EncodeWish(codec="xvid"))
    assert "known: match, high" in refusal(source, EncodeWish(quality="superb"))
    assert "takes 0 to 51" in refusal(source, EncodeWish(quality="63"))
    assert "never lossless" in refusal(source, EncodeWish(codec="prores", quality="lossless"))
    parts = {"dolby-vision": {"dolby_vision": (5, 0)}, "alpha": {"hides_alpha": True},
             "second-eye": {"layers": 2}}  # fmt: skip
    for part, change in parts.items():
        assert f"--allow {part}" in refusal(source, EncodeWish(), **change)
        seen = inspect_video(source)
        mirror_settings(dataclasses.replace(seen.info, **change), wish=EncodeWish(allow=(part,)))


def test_a_container_that_cannot_hold_a_stream_is_refused_before_the_work(footage, tmp_path):
    seen = inspect_video(footage(**EIGHT, sound="aac"))
    settings = mirror_settings(seen.info, index=seen.index)
    assert check_output(seen.info, settings, "x.mov") == ()
    with pytest.raises(
        MediaError, match=r"webm cannot hold its .*--output x\.mov or --container mov can"
    ):
        check_output(seen.info, settings, "x.webm")
    renamed = dataclasses.replace(seen.info, path=str(tmp_path / "a.mxf"))
    (tmp_path / "a.mxf").symlink_to(seen.info.path)
    assert "output is .mov" in check_output(renamed, settings, "x.mov")[0]


def test_prores_keeps_its_alpha_to_the_bit_when_its_pictures_are_encoded(footage, tmp_path):
    source = footage(**EIGHT, name="a.mov", codec="prores_ks", pix_fmt="yuva444p10le",
                     options={"alpha_bits": "16", "profile": "4444"}, alpha=True)  # fmt: skip
    finished = made(source, tmp_path, "out.mov")
    found = compare_files(source, finished.path)
    assert found.exit_status == 0, found.summary
    assert found.figures["psnr_mean_db"][3] is None
    assert min(found.figures["psnr_mean_db"][:3]) > 48


def packets_of(path: str) -> list[bytes]:
    with av.open(path) as container:
        return [bytes(p) for p in container.demux(video=0) if p.size]


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "options"),
    [("prores_ks", "yuv422p10le", {}), ("prores_ks", "yuva444p10le", {"alpha_bits": "16"}),
     ("mjpeg", "yuvj420p", {}), ("dnxhd", "yuv422p", {"profile": "dnxhr_hq"})],
)  # fmt: skip
def test_frames_that_nobody_changed_are_copied_bit_for_bit(
    footage, tmp_path, codec, pix_fmt, options
):
    full = 2 if pix_fmt == "yuvj420p" else 1
    source = footage(**EIGHT, name="i.mov", codec=codec, pix_fmt=pix_fmt, options=options,
                     size=(320, 240), colour=(1, 1, 1, full))  # fmt: skip
    seen: Inspection = inspect_video(source)
    settings = mirror_settings(seen.info, index=seen.index)
    assert settings.copies_untouched
    pieces = []
    for first, last in ((0, 2), (3, 7)):
        pieces.append(str(tmp_path / f"{first}"))
        with (
            PieceWriter(pieces[-1], seen.info, settings) as writer,
            SourceFrames(seen, first) as coded,
        ):
            for number, frame in enumerate(
                decode_range(source, seen.info, seen.index, first, last), first
            ):
                if number in (4, 5):
                    writer.write(frame)
                else:
                    writer.copy(coded.at(frame.pts), frame)
    finished = finish(seen.info, seen.index, pieces, str(tmp_path / "out.mov"), settings)
    before, after = packets_of(source), packets_of(finished.path)
    assert [n for n in range(8) if before[n] != after[n]] in ([4, 5], [4], [5], [])
    assert [before[n] == after[n] for n in (0, 1, 2, 3, 6, 7)] == [True] * 6
    lost = {f.topic for f in compare_files(source, finished.path).findings if f.verdict == "lost"}
    assert lost == set()

"""NVDEC without one: a decoder of another layout stands in for the GPU's."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import MediaError
from pipeline.media.planes import VideoFrame, all_plane_views
from pipeline.media.read.decoding import decode, nvdec, reader
from pipeline.media.read.probe import probe, scan

LAYOUTS = {"yuv420p": "nv12", "yuv420p10le": "p010le"}


def untouched(_: int, __: VideoFrame) -> None:
    """As the GPU gave it."""


class StandIn:
    """What PyAV gives of a GPU: frames in its own layout; `spoil` sees each of them before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.given, self.spoil = 0, untouched
        self._back = nvdec.as_decoded_here
        monkeypatch.setattr(nvdec, "gpu_decoder", lambda: None)
        monkeypatch.setattr(reader, "gpu_decoder", lambda: True)
        monkeypatch.setattr(decode, "open_video", lambda path, _: nvdec.open_video(path))
        for module in (nvdec, decode):
            monkeypatch.setattr(module, "as_decoded_here", self.as_decoded_here)

    def as_decoded_here(self, frame: VideoFrame, pix_fmt: str) -> VideoFrame:
        there = frame.reformat(format=LAYOUTS[frame.format.name])
        there.pts, there.time_base, there.duration = frame.pts, frame.time_base, frame.duration
        back = self._back(there, pix_fmt)
        self.spoil(self.given, back)
        self.given += 1
        return back


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch):
    nvdec._difference.cache_clear()
    monkeypatch.setattr(nvdec, "_given_up", {})
    yield StandIn(monkeypatch)
    nvdec._difference.cache_clear()


def read(path: str, name: str) -> list[np.ndarray]:
    info = probe(path)
    return [
        rgb for *_, rgb in reader.analysis_frames(path, info, scan(path, info), 4, 25, reader=name)
    ]


def note(path: str) -> str:
    return reader.reader_note(path, probe(path), "nvdec")


def spoilt(_, frame: VideoFrame) -> None:
    all_plane_views(frame)[0][7, 9] ^= 1


@pytest.mark.parametrize(
    ("pix_fmt", "options"),
    [("yuv420p", {"preset": "ultrafast"}), ("yuv420p10le", {"preset": "ultrafast"})],
)
def test_frames_in_the_gpus_layout_are_the_cpus_to_the_bit(footage, gpu, pix_fmt, options):
    path = footage(pix_fmt=pix_fmt, options=options)
    np.testing.assert_array_equal(read(path, "nvdec"), read(path, "av"))
    assert gpu.given == nvdec.PROVED_FRAMES + 22
    assert note(path) == ""


def test_a_single_other_sample_sends_the_file_to_the_cpu(footage, gpu):
    gpu.spoil = lambda number, frame: spoilt(number, frame) if number == 5 else None
    path = footage()
    np.testing.assert_array_equal(read(path, "nvdec"), read(path, "av"))
    assert gpu.given == 6
    assert note(path) == "read by av, not nvdec: NVDEC gave other samples in its frame 5"


def test_what_goes_wrong_later_is_gone_on_with_by_the_cpu_and_told(footage, gpu):
    def lost(number: int, frame: VideoFrame) -> None:
        if number == nvdec.PROVED_FRAMES + 10:
            raise MediaError("the GPU is lost")

    gpu.spoil = lost
    path = footage()
    np.testing.assert_array_equal(read(path, "nvdec"), read(path, "av"))
    assert note(path) == "read by av, not nvdec: NVDEC gave up: the GPU is lost"


@pytest.mark.parametrize(
    ("description", "why"),
    [
        ({"codec": "mpeg4", "options": {}}, "mpeg4 is not decoded to the same bits"),
        ({"pix_fmt": "yuv422p"}, "yuv422p is none of yuv420p, yuv420p10le"),
    ],
)
def test_what_is_not_exact_there_is_read_here(footage, gpu, description, why):
    path = footage(**description)
    np.testing.assert_array_equal(read(path, "nvdec"), read(path, "av"))
    assert gpu.given == 0
    assert why in note(path)


@pytest.mark.skipif(nvdec.why_not_here() is None, reason="NVDEC is here")
def test_a_machine_without_it_reads_by_the_cpu_and_says_why(footage):
    path = footage()
    np.testing.assert_array_equal(read(path, "nvdec"), read(path, "av"))
    assert note(path).startswith("read by av, not nvdec: NVDEC does not work here: ")

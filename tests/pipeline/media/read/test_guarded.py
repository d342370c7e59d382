"""Footage under digital rights management is called encrypted, whichever way it is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import MediaError
from pipeline.media.read.guarded import is_scrambled, refuse_encrypted
from pipeline.media.read.inspection import inspect_video

CENC = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
    "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
}
TS = {"name": "a.ts", "pts": tuple(range(200_000, 300_000, 3600)), "time_base": Fraction(1, 90000)}


def renamed(source: str, target: Path, entry: bytes, other: bytes) -> str:
    """A copy in which the last mention of a sample entry is another."""
    data = Path(source).read_bytes()
    at = data.rindex(entry)
    target.write_bytes(data[:at] + other + data[at + 4 :])
    return str(target)


def scrambled(source: str, target: Path, stream: int, length: int = 188) -> str:
    """A copy with one stream of an MPEG-TS flagged as scrambled, its payload turned over."""
    data, begins = bytearray(Path(source).read_bytes()), length - 188
    for at in range(begins, len(data), length):
        if int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF == stream:
            data[at + 3] |= 0x80
            data[at + 60 : at + 188] = bytes(b ^ 0x5A for b in data[at + 60 : at + 188])
    target.write_bytes(data)
    return str(target)


def refusal(path: str) -> str:
    with pytest.raises(MediaError) as refused:
        inspect_video(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_encrypted_mp4_is_called_so_its_sound_too(footage, tmp_path):
    whole = footage(sound="aac")
    for path, what in (
        (footage(name="c.mp4", sound="aac", container_options=CENC), "its video (encv)"),
        (renamed(whole, tmp_path / "drmi.mp4", b"avc1", b"drmi"), "its video (drmi)"),
        (renamed(whole, tmp_path / "enca.mp4", b"mp4a", b"enca"), "its sound (enca)"),
    ):
        told = refusal(path)
        assert f"encrypted: {what}" in told
        assert "without protection" in told


def test_an_encrypted_matroska_track_is_called_so():
    """FFmpeg tells of its key alone, and gives packets that no decoder understands."""
    video = SimpleNamespace(index=0, type="video", metadata={"enc_key_id": "p+YcNz4hkDPCEJH6YHvz"})
    container: Any = SimpleNamespace(streams=[video], format=SimpleNamespace(name="matroska,webm"))
    with pytest.raises(MediaError, match="encrypted: video stream 0"):
        refuse_encrypted("a.mkv", container, None)
    video.metadata.clear()
    refuse_encrypted("a.mkv", container, None)


def test_a_scrambled_transport_stream_is_called_encrypted(footage, tmp_path):
    clear = footage(**TS, sound="mp2")
    assert not is_scrambled(clear)
    assert "encrypted" in refusal(scrambled(clear, tmp_path / "s.ts", 0x100))
    assert "encrypted" in refusal(scrambled(clear, tmp_path / "t.ts", 0x101))

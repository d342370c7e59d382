import os

import pytest

from pipeline.errors import MediaError
from pipeline.source import BLOCK_BYTES, BLOCKS, END_BYTES, Identity, check_unchanged, identify

SIZE = 8 * END_BYTES


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "a.mov"
    path.write_bytes(os.urandom(SIZE))
    os.utime(path, ns=(10**18, 10**18))
    return path


def rewritten(path, at: int) -> None:
    """Changes one byte in place; size, inode and time stay."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(10**18, 10**18))


def test_an_identity_travels_as_text(clip):
    found = identify(clip)
    assert Identity.parse(str(found)) == found
    check_unchanged(str(clip), str(found))


@pytest.mark.parametrize("at", [0, SIZE - 1, SIZE * 31 // BLOCKS + BLOCK_BYTES - 1])
def test_a_take_of_the_same_size_and_time_is_told_by_its_content(clip, at):
    known = str(identify(clip))
    rewritten(clip, at)
    with pytest.raises(MediaError, match="was changed while the job ran"):
        check_unchanged(str(clip), known)


def test_the_index_of_an_mp4_counts_wherever_it_lies(tmp_path):
    path = tmp_path / "a.mp4"
    head = (END_BYTES * 2 + 100).to_bytes(4, "big") + b"mdat" + bytes(END_BYTES * 2 + 92)
    path.write_bytes(head + (64).to_bytes(4, "big") + b"moov" + bytes(56) + b"\0" * END_BYTES * 5)
    os.utime(path, ns=(10**18, 10**18))
    known = str(identify(path))
    rewritten(path, len(head) + 40)
    with pytest.raises(MediaError, match="was changed"):
        check_unchanged(str(path), known)


def test_what_became_of_a_source_is_said(clip):
    known = str(identify(clip))
    with clip.open("ab") as file:
        file.write(b"more")
    with pytest.raises(MediaError, match=f"grew from {SIZE} to {SIZE + 4} bytes"):
        check_unchanged(str(clip), known)
    clip.unlink()
    with pytest.raises(MediaError, match="went away"):
        check_unchanged(str(clip), known)
    clip.write_bytes(b"short")
    with pytest.raises(MediaError, match="was replaced"):
        check_unchanged(str(clip), known)

"""Small clips of which each has a second take of the same shape: what a source may turn into."""

from __future__ import annotations

import os
import shutil
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from pipeline.demo.clip import make_demo_clip
from pipeline.files import published
from pipeline.media.read.decoding.decode import decode_range, display_rgb
from pipeline.media.read.inspection import inspect_video
from pipeline.media.write.pictures import PictureWriter

TAKES = 2
RATE = 25
FRAMES = 40
SIDE = 192
SHIFT = 5
"""Frames by which each clip begins later in the demo than the one before."""
AGE_S = 3600.0
"""Clips are as old as this, so that nobody waits until they are whole."""


class Footage:
    """The clips of a batch, any of which can be replaced by its other take.

    Args:
        folder: of the clips as a run sees them, `clip0.mp4`, …; the takes lie in `takes` beside it.
    """

    def __init__(self, folder: Path, clips: int) -> None:
        self.folder = folder
        self.names = [f"clip{number}" for number in range(clips)]
        self.takes = dict.fromkeys(self.names, 0)
        self._store = folder.with_name("takes")
        self._age = time.time() - AGE_S
        folder.mkdir()
        _shoot(self._store, self.names)
        for name in self.names:
            self._put(name)

    def swap(self, name: str) -> None:
        """Replaces a clip by its other take, as a render farm or a copying colleague would."""
        self.takes[name] = 1 - self.takes[name]
        self._put(name)

    def take(self, name: str, number: int) -> Path:
        """A take, where no run is disturbed."""
        return self._store / f"{name}-{number}.mp4"

    def _put(self, name: str) -> None:
        self._age += 1.0
        fresh = self.folder / f".{name}"
        shutil.copyfile(self.take(name, self.takes[name]), fresh)
        os.utime(fresh, (self._age, self._age))
        fresh.replace(self.folder / f"{name}.mp4")


def _shoot(folder: Path, names: list[str]) -> None:
    """Takes out of one demo clip: each begins a little later, and a second take is mirrored."""
    folder.mkdir()
    frames = FRAMES + SHIFT * len(names)
    demo = make_demo_clip(folder / "demo.mp4", seconds=frames / RATE, rate=RATE, size=(SIDE, SIDE))
    seen = inspect_video(str(demo))
    decoded = decode_range(str(demo), seen.info, seen.index, 0, seen.frames - 1)
    pictures = [display_rgb(frame, seen.info) for frame in decoded]
    for number, name in enumerate(names):
        for take in range(TAKES):
            path = folder / f"{name}-{take}.mp4"
            rate = Fraction(RATE)
            with (
                published(path) as part,
                PictureWriter(part, (SIDE, SIDE), 1 / rate, rate) as writer,
            ):
                for n, picture in enumerate(pictures[number * SHIFT :][:FRAMES]):
                    writer.show(np.ascontiguousarray(picture[:, :: 1 - 2 * take]), n)
            os.utime(path, (time.time() - AGE_S, time.time() - AGE_S))
    demo.unlink()

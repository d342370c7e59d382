"""A clip to try everything with, made on the fly: a moving, talking face with speech-like sound."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.demo.acting import performance, schedule, voice
from pipeline.demo.face import FACE_CENTRE, SCALE, TalkingHead, photograph
from pipeline.errors import MediaError
from pipeline.files import published
from pipeline.media.opening import one_line_errors
from pipeline.media.write.pictures import PictureWriter

AUDIO_RATE_HZ = 48000
AUDIO_BLOCK = 1024
SIDES = (96, 2160)
ASPECTS = (0.5, 2.0)
SECONDS = (0.2, 600.0)
RATES = (1, 120)
RATE_DENOMINATOR = 1001
MARGIN = 8.0  # photograph pixels kept between any frame's corner and the photograph's edge


def make_demo_clip(
    path: Path,
    *,
    seconds: float = 6.0,
    rate: int | Fraction = 25,
    size: tuple[int, int] = (512, 512),
) -> Path:
    """Write a clip of one moving face: H.264 (bt709, limited) and AAC in a faststart MP4.

    The same arguments give the same bytes. The face spans at least 25 % of the width of every
    frame. Nothing is read but the packaged photograph.

    Args:
        path: an `.mp4`; its folder is made where missing, and it appears whole or not at all.
        seconds: 0.2…600; rounded to whole frames.
        rate: frames per second, 1…120, exact (`Fraction(30000, 1001)` is kept as such).
        size: width and height in pixels, even, 96…2160 each, width 0.5…2 times the height.
    Returns:
        `path`.
    Raises:
        MediaError: an argument out of range, or a file that cannot be written.
    """
    exact_rate = _checked(path, seconds, rate, size)
    frames = max(1, round(seconds * exact_rate))
    with one_line_errors(path, "write the demo clip"), published(path) as partial:
        _write(partial, frames, exact_rate, size)
    return path


def _checked(path: Path, seconds: float, rate: int | Fraction, size: tuple[int, int]) -> Fraction:
    if path.suffix.lower() != ".mp4":
        raise MediaError(f"{path}: a demo clip is an .mp4; got suffix {path.suffix!r}")
    if not (math.isfinite(seconds) and SECONDS[0] <= seconds <= SECONDS[1]):
        raise MediaError(f"demo clip: got {seconds} seconds; expected {SECONDS[0]}…{SECONDS[1]:g}")
    if not RATES[0] <= rate <= RATES[1] or Fraction(rate).denominator > RATE_DENOMINATOR:
        raise MediaError(
            f"demo clip: got {rate} frames/s; expected {RATES[0]}…{RATES[1]}, a whole number or "
            f"a Fraction over {RATE_DENOMINATOR} at most"
        )
    width, height = size
    if any(side % 2 or not SIDES[0] <= side <= SIDES[1] for side in size):
        raise MediaError(
            f"demo clip: got size {width}x{height}; expected even sides of {SIDES[0]}…{SIDES[1]}"
        )
    if not ASPECTS[0] <= width / height <= ASPECTS[1]:
        raise MediaError(
            f"demo clip: got size {width}x{height}; expected width 0.5…2 times the height"
        )
    return Fraction(rate)


@dataclass(frozen=True)
class Camera:
    """What a frame of `size` shows: zooming, panning and tilting, but never off the photograph."""

    size: tuple[int, int]

    def frame_to_photograph(self, time_s: float) -> NDArray[np.float64]:
        """`(2, 3)`: pixels of the frame → pixels of the photograph."""
        turn = 2.0 * np.pi * time_s
        width, height = self.size
        widest = min(250.0 * math.sqrt(width / height), 340.0)
        span = widest * (0.92 + 0.08 * np.cos(turn / 7.0))
        angle = np.radians(1.2 * np.sin(turn / 5.3))
        scale = span / width
        linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        reach = np.abs(linear) @ np.array([width, height]) / 2.0 + MARGIN
        wanted = FACE_CENTRE + 0.045 * span * np.array(
            [np.sin(turn / 6.1), 0.6 * np.sin(turn / 4.7)]
        )
        centre = np.clip(wanted, reach, 511.0 - reach)
        middle = (np.array([width, height]) - 1.0) / 2.0
        return np.column_stack([linear, centre - linear @ middle])

    def shot(self, picture: NDArray[np.uint8], time_s: float) -> NDArray[np.uint8]:
        """The enlarged photograph as this camera sees it, `(H, W, 3)` uint8 RGB."""
        matrix = SCALE * self.frame_to_photograph(time_s)
        matrix[:, 2] += (SCALE - 1) / 2.0  # centres of enlarged pixels
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(picture, matrix, self.size, flags=flags), np.uint8)

    def light(self, time_s: float) -> NDArray[np.float32]:
        """`(H, W, 3)` gain, contiguous: a lamp that slowly brightens and wanders."""
        turn = 2.0 * np.pi * time_s
        across = np.linspace(-1.0, 1.0, self.size[0], dtype=np.float32)
        wander = np.float32(0.06 * np.sin(turn / 7.9))
        gain = np.float32(0.97 + 0.05 * np.sin(turn / 5.0)) + wander * across
        width, height = self.size
        return np.ascontiguousarray(np.broadcast_to(gain[None, :, None], (height, width, 3)))


def _pictures(frames: int, rate: Fraction, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    times_s = np.arange(frames) / float(rate)
    actor = performance(schedule(float(frames / rate)), times_s)
    head, camera = TalkingHead(photograph()), Camera(size)
    for n, time_s in enumerate(times_s):
        shot = camera.shot(head.at(actor, n), float(time_s))
        lit = cv2.multiply(shot, camera.light(float(time_s)), dtype=cv2.CV_8U)
        yield np.asarray(lit, np.uint8)


def _sound(frames: int, rate: Fraction) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """First sample and samples of each block."""
    samples = math.ceil(frames / rate * AUDIO_RATE_HZ)
    wave = voice(schedule(float(frames / rate)), samples, AUDIO_RATE_HZ)
    for first in range(0, samples, AUDIO_BLOCK):
        yield first, np.ascontiguousarray(wave[first : first + AUDIO_BLOCK])


def _write(path: Path, frames: int, rate: Fraction, size: tuple[int, int]) -> None:
    sound = _sound(frames, rate)
    heard = Fraction(0)
    with PictureWriter(path, size, 1 / rate, rate, AUDIO_RATE_HZ) as writer:
        for n, picture in enumerate(_pictures(frames, rate, size)):
            writer.show(picture, n)
            while heard < (n + 1) / rate and (block := next(sound, None)) is not None:
                writer.sound(block[1], block[0])
                heard += Fraction(len(block[1]), AUDIO_RATE_HZ)

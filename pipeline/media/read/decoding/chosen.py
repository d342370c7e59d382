"""A few frames of a clip, upright, each group of pictures decoded once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.media.read.decoding.decode import decode_range, display_rgb
from pipeline.media.read.decoding.pictures import PictureReader
from pipeline.media.read.inspection import Inspection


def chosen_frames(
    inspection: Inspection, numbers: Iterable[int]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The frames of these numbers, in order, each once: `(number, (H, W, 3) uint8 RGB)`.

    Of frames that are fields the first field is shown.

    Raises:
        MediaError: a frame that is not there or cannot be decoded.
    """
    info, index = inspection.info, inspection.index
    told = PictureReader(info)
    for wanted in _runs(sorted(set(numbers)), index.is_key):
        frames = decode_range(info.path, info, index, wanted[0], wanted[-1])
        for number, frame in enumerate(frames, wanted[0]):
            if number in wanted:
                yield number, display_rgb(told.pictures(frame)[0], info)


def _runs(numbers: list[int], is_key: NDArray[np.bool_]) -> list[list[int]]:
    """The numbers in runs without a key frame between neighbours: a seek would save nothing."""
    groups = np.cumsum(is_key)
    runs: list[list[int]] = []
    for number in numbers:
        if runs and groups[number] == groups[runs[-1][-1]]:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs

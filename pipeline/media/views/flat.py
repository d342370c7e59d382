"""Footage that nobody tagged and that looks as a camera's log curve makes it: pale and flat."""

from __future__ import annotations

import numpy as np

from pipeline.errors import MediaError
from pipeline.media.colour import black_level
from pipeline.media.info import VideoInfo
from pipeline.media.planes import VideoFrame, plane_views, sample_layout
from pipeline.media.views.choice import view_of

DARKEST, BRIGHTEST = 0.06, 0.72
"""Luma over the nominal range: of log, .5 % lie below .09…13 and .1 % above .39…57; of 5 display
clips below 0….18 and above .67…93 (tests' clips re-coded; likewise the next)."""
PALEST, PALE = 0.005, 0.06
"""Distance of chroma from grey, of the most colourful 5 %: of log .023…042, of display .09…18."""
_SPREAD = 0.1
_EVERY = 4


def looks_flat(frame: VideoFrame, info: VideoInfo) -> bool:
    """Whether a frame looks like log; one of a single grey, or without colour, does not."""
    try:
        layout = sample_layout(frame.format.name)
    except MediaError:
        return False
    if layout.is_rgb or len(layout.planes) < 3:
        return False
    scale = (1.0 if info.colour.full_range else 219 / 255) * (layout.full_scale + 1)
    views = plane_views(frame)
    black = black_level(info, layout)
    luma, *chroma = (
        (view[::_EVERY, ::_EVERY].astype(np.float64) - level) / scale
        for view, level in zip(views, black, strict=True)
    )
    darkest, low, high, brightest = np.percentile(luma, (0.5, 2, 98, 99.9))
    colour = float(np.percentile(np.hypot(*chroma), 95))
    is_level = darkest >= DARKEST and brightest <= BRIGHTEST and high - low >= _SPREAD
    return bool(is_level and PALEST <= colour <= PALE)


def flat_told(info: VideoInfo) -> tuple[str, ...]:
    """What a report says of footage that looks flat and is shown as it is coded."""
    if info.view or not info.looks_flat or view_of(info) is not None:
        return ()
    return (
        "pale, without black or white: log footage? Engines see it as it is coded; name its curve "
        "with --view slog3, logc3, vlog, … (--view none: it is meant to be so)",
    )

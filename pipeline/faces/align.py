"""The crop an editor sees: a square around the face, following it without trembling or lagging.

Source of the scale: MagicFace's preprocessing (352 of 512 pixels for 1.5 box widths, box centre in
the middle); given the box, the crop is its crop. Source of the box: landmarks fitted to its three
official crops (width 1.033 × hull width, centre raised by 0.174 box widths), because the detector
that drew it is not here; docs/magicface.md has the residuals.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from keyframes.curves.smooth import smoothing_factor
from pipeline.errors import PipelineError

BOX_FROM_HULL = 1.033
BOX_RAISED = 0.174
CROP_SPAN = 1.5 * 512 / 352
"""Side of the crop in box widths."""
CUTOFF_HZ = 0.5
SPEED_GAIN = 0.02
"""Cut-off gained per px/s of motion of a face 512 px wide (One-Euro's beta)."""
DERIVATIVE_CUTOFF_HZ = 1.0
SIDE_STEP, SIDE_MAX = 128, 2048
NATIVE_FROM = 0.7
"""Of the least side: a crop that spans as much of the plate shows it pixel by pixel."""
REFERENCE_WIDTH_PX = 512.0
LEAD_S = 2.0
"""How far the path is continued beyond its ends before it is filtered."""
SLOPE_S = 0.25
"""Part of the path that says where its end is."""


def face_squares(landmarks_px: NDArray[np.float32]) -> NDArray[np.float64]:
    """`(N, 3)` centre x, centre y, side of each crop, from `(N, 68, 2)` landmarks."""
    low = landmarks_px.min(axis=1).astype(np.float64)
    high = landmarks_px.max(axis=1).astype(np.float64)
    width = BOX_FROM_HULL * (high[:, 0] - low[:, 0])
    centre = (low + high) / 2
    centre[:, 1] -= BOX_RAISED * width
    return squares_of_boxes(centre, width)


def squares_of_boxes(
    centre_px: NDArray[np.float64], width_px: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`(N, 3)` centre x, centre y, side of each crop, from face boxes; their height does not count.

    Args:
        centre_px: `(N, 2)` box centres, display pixels.
        width_px: `(N,)` box widths.
    """
    return np.column_stack([centre_px, CROP_SPAN * width_px])


def display_from_squares(squares: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """`(N, 2, 3)` crop pixels → display pixels of `(N, 3)` squares; `size / 2` is the centre."""
    scale = squares[:, 2] / size
    maps = np.zeros((len(squares), 2, 3))
    maps[:, 0, 0] = maps[:, 1, 1] = scale
    maps[:, :, 2] = squares[:, :2] - scale[:, None] * size / 2
    return maps


def native_crops(
    landmarks_px: NDArray[np.float32],
    times_s: NDArray[np.float64],
    restart: NDArray[np.bool_],
    shot: NDArray[np.int64],
    least: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Crops of one face for an editor that takes any size: what `crop_path` gives, and their sides.

    Of a face that is large in the plate a crop pixel is a plate pixel, whole pixels off: nothing is
    interpolated on the way there and back, so that all detail moves and none is left behind. Small
    faces have crops of the least side, enlarged.

    Args:
        landmarks_px, times_s, restart: as for `crop_path`.
        shot: `(N,)`; within one all crops are of one size.
        least: side of the smallest crops.
    """
    paths = crop_path(landmarks_px, times_s, restart, least)
    sides = np.full(len(paths), least, np.int64)
    spans = paths[:, 0, 0] * least
    for number in np.unique(shot):
        rows = shot == number
        span = float(spans[rows].max())
        if span < NATIVE_FROM * least:
            continue
        side = max(least, min(math.ceil(span / SIDE_STEP) * SIDE_STEP, SIDE_MAX))
        sides[rows] = side
        centre = paths[rows, :, 2] + spans[rows, None] / 2
        zoom = max(span / side, 1.0)  # a face beyond SIDE_MAX
        paths[rows] = np.array([[zoom, 0.0, 0.0], [0.0, zoom, 0.0]])
        paths[rows, :, 2] = np.rint((centre - zoom * side / 2) / 2) * 2  # whole samples of chroma
    return paths, sides


def crop_path(
    landmarks_px: NDArray[np.float32],
    times_s: NDArray[np.float64],
    restart: NDArray[np.bool_],
    size: int,
) -> NDArray[np.float64]:
    """`(N, 2, 3)` crop pixels → display pixels for each frame of one face.

    Args:
        landmarks_px: `(N, 68, 2)` display pixels.
        times_s: `(N,)` presentation times.
        restart: `(N,)` frames at which the path starts anew (cuts, long gaps).
        size: side of the crop, pixels; its centre `size / 2` lies on the box centre.
    Raises:
        PipelineError: lengths differ, points span no face, or time stands still within a run.
    """
    squares = face_squares(landmarks_px)
    if not len(squares) == len(times_s) == len(restart):
        raise PipelineError(
            f"crop path: got {len(squares)} faces, {len(times_s)} times and {len(restart)} "
            "restarts; expected as many of each"
        )
    if not (np.isfinite(squares).all() and (squares[:, 2] > 0).all()):
        raise PipelineError(
            "crop path: got points that span no face; expected finite, wider than 0"
        )
    starts = np.union1d([0], np.flatnonzero(restart))
    for a, b in zip(starts, [*starts[1:], len(squares)], strict=True):
        squares[a:b] = _steady(squares[a:b], times_s[a:b])
    return display_from_squares(squares, size)


def _steady(squares: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """One-Euro forward and backward, averaged: what one lags behind the other runs ahead.

    At its ends the path is continued as it went before, or one of the two would lag alone there.
    """
    if len(squares) < 2:
        return squares
    if not (np.diff(times_s) > 0).all():
        raise PipelineError("crop path: got times that do not increase; expected seconds in order")
    before, before_s = _continued(squares[::-1], -times_s[::-1])
    after, after_s = _continued(squares, times_s)
    path = np.concatenate([before[::-1], squares, after])
    clock_s = np.concatenate([-before_s[::-1], times_s, after_s])
    forward = one_euro(path, clock_s)
    backward = one_euro(path[::-1], -clock_s[::-1])[::-1]
    return ((forward + backward) / 2)[len(before) : len(before) + len(squares)]


def _continued(
    squares: NDArray[np.float64], times_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What follows the last square for LEAD_S: the path turned by half a turn about its end, then
    straight on; positions and speeds go on without a step."""
    last_s = times_s[-1]
    near = times_s >= last_s - SLOPE_S
    near[-2:] = True
    end, _ = _line(squares[near], times_s[near] - last_s)
    turned = (times_s < last_s) & (times_s >= last_s - LEAD_S)
    path, clock_s = 2 * end - squares[turned][::-1], 2 * last_s - times_s[turned][::-1]
    step_s = float(np.median(np.diff(times_s)))
    on_s = step_s * np.arange(1, 1 + max(0, math.ceil((last_s + LEAD_S - clock_s[-1]) / step_s)))
    _, speed = _line(squares, times_s - last_s)
    path = np.concatenate([path, path[-1] + speed * on_s[:, None]])
    path[:, 2] = np.maximum(path[:, 2], squares[:, 2].min() / 2)  # a zoom does not go below 0
    return path, np.concatenate([clock_s, clock_s[-1] + on_s])


def _line(
    values: NDArray[np.float64], times_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least squares through `(N, 3)` at `(N,)` seconds: values at 0, and slopes."""
    at_zero, slope = np.polynomial.polynomial.polyfit(times_s, values, 1)
    return at_zero, slope


def one_euro(values: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """One-Euro filter of `(N, 3)` squares; the cut-off rises with speed, in face widths.

    Source: Casiez, Roussel, Vogel, "1 € Filter", CHI 2012.
    """
    smooth = values.copy()
    speed = np.zeros(values.shape[1])
    for i in range(1, len(values)):
        dt = times_s[i] - times_s[i - 1]
        unit = REFERENCE_WIDTH_PX * CROP_SPAN / max(smooth[i - 1, 2], 1e-6)
        raw = (values[i] - values[i - 1]) / dt * unit
        speed += smoothing_factor(DERIVATIVE_CUTOFF_HZ, dt) * (raw - speed)
        gain = smoothing_factor(CUTOFF_HZ + SPEED_GAIN * np.abs(speed), dt)
        smooth[i] = smooth[i - 1] + gain * (values[i] - smooth[i - 1])
    return smooth

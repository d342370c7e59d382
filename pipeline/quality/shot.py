"""Both clips of a shot, frame by frame: every measure that needs pixels, in one pass.

Memory does not grow with the clip beyond a few numbers per frame and some forty small pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.interface import RGBFrame
from engines.judges.expression import EXPRESSIONS, ExpressionJudge
from engines.judges.identity import EMBEDDING, IdentityJudge
from pipeline import affine
from pipeline.faces.align import SIDE_MAX, crop_path
from pipeline.media.read.decoding.decode import decode_range, display_rgb
from pipeline.media.read.decoding.pictures import PictureReader
from pipeline.media.read.inspection import Inspection
from pipeline.quality.clip import Clip
from pipeline.quality.metrics.background import background_error, worst_block
from pipeline.quality.metrics.detail import change_map, changed_mask, seam, sharpness
from pipeline.quality.metrics.flicker import SIDE, landmark_jitter, warp_error
from pipeline.quality.metrics.pose import head_rotation
from pipeline.quality.regions import face_mask, outside_mask

SMALL = 256
"""Side at which borders and changes are looked for."""
LEAST = 2 * SMALL
"""Side of a small face's crop; a large one's is its own, so that none of its detail is lost."""
LOOKS_PER_S = 4.0
"""Identity and expression are asked so often; between, a face is the same person."""
STILLS = 40
STILL = 320
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 84]

Series = NDArray[np.float32]


@cache
def judges() -> tuple[IdentityJudge, ExpressionJudge]:
    """Both networks, once per process."""
    return IdentityJudge(), ExpressionJudge()


@dataclass(frozen=True)
class Still:
    """The face at one moment, before and after, as JPEG."""

    frame: int
    before: bytes
    after: bytes


@dataclass
class ShotSeries:
    """What was measured; NaN where a frame has no face or was not sampled.

    Attributes:
        identity: distance of the same frame's two embeddings.
        background, outside: error and worst block outside all faces; outside_at: `(x, y)` of the
            worst of all.
        rotation, pitch: degrees the head turned by.
        warp_before, warp_after, jitter_before, jitter_after: steadiness of plate and edit.
        sharpness, seam: of the changed part.
        expression_before, expression_after: `(N, 7)` probabilities.
        plate, edit, others: embeddings of the sampled frames, in memory only.
        heat: `(256, 256)` mean change of the face's crop, 8-bit levels.
        stills: moments spread over the shot.
    """

    identity: Series
    background: Series
    outside: Series
    rotation: Series
    pitch: Series
    warp_before: Series
    warp_after: Series
    jitter_before: Series
    jitter_after: Series
    sharpness: Series
    seam: Series
    expression_before: Series
    expression_after: Series
    outside_at: tuple[int, int] = (0, 0)
    plate: list[NDArray[np.float32]] = field(default_factory=list, repr=False)
    edit: list[NDArray[np.float32]] = field(default_factory=list, repr=False)
    others: list[NDArray[np.float32]] = field(default_factory=list, repr=False)
    heat: NDArray[np.float32] = field(default_factory=lambda: np.zeros((SMALL, SMALL), np.float32))
    stills: list[Still] = field(default_factory=list, repr=False)

    @classmethod
    def empty(cls, frames: int) -> ShotSeries:
        def blank(*width: int) -> Series:
            return np.full((frames, *width), np.nan, np.float32)

        wide = {"expression_before": len(EXPRESSIONS), "expression_after": len(EXPRESSIONS)}
        names = [f.name for f in fields(cls) if f.default is MISSING is f.default_factory]
        series: dict[str, Any] = {n: blank(wide[n]) if n in wide else blank() for n in names}
        return cls(**series)

    def embeddings(self, which: str) -> NDArray[np.float32]:
        """`(K, 128)` of `plate`, `edit` or `others`."""
        return np.array(getattr(self, which), np.float32).reshape(-1, EMBEDDING)


def measure_shot(source: Clip, output: Clip, face: int) -> ShotSeries:
    """Measures one face of a shot, and the picture around all of them."""
    series = ShotSeries.empty(source.frames)
    _from_tables(series, source, output, face)
    walker = _Walker(series, source, output, face)
    for number, pair in enumerate(_pairs(source, output)):
        walker.see(number, *pair)
    if walker.changed:
        series.heat /= walker.changed
    return series


class _Shown(NamedTuple):
    """A frame; and the picture of it in which its faces were measured, of fields the first."""

    whole: RGBFrame
    face: RGBFrame


def _pairs(source: Clip, output: Clip) -> Iterator[tuple[_Shown, _Shown]]:
    in_fields = source.measured.in_fields
    shown = (_shown(clip.inspection, in_fields) for clip in (source, output))
    return zip(*shown, strict=True)


def _shown(seen: Inspection, in_fields: NDArray[np.bool_]) -> Iterator[_Shown]:
    info, told = seen.info, PictureReader(seen.info)
    frames = decode_range(info.path, info, seen.index, 0, seen.frames - 1)
    for number, frame in enumerate(frames):
        whole = display_rgb(frame, info)
        is_field = len(in_fields) and in_fields[number]
        yield _Shown(whole, display_rgb(told.pictures(frame)[0], info) if is_field else whole)


def _from_tables(series: ShotSeries, source: Clip, output: Clip, face: int) -> None:
    """Measures that need no pixels: jitter and rotation."""
    poses: list[NDArray[np.float64]] = []
    for clip, jitter in ((source, series.jitter_before), (output, series.jitter_after)):
        rows = clip.analysis.rows_of(face)
        frame = clip.analysis.frame[rows]
        restart = clip.analysis.restarts(rows)
        jitter[frame] = landmark_jitter(clip.analysis.landmarks_px[rows], restart)
        pose = np.full((source.frames, 3), np.nan)
        pose[frame] = clip.analysis.pose[rows]
        poses.append(pose)
    series.rotation[:], series.pitch[:] = head_rotation(*poses)


class _Walker:
    """Sees every pair of frames once, in order."""

    def __init__(self, series: ShotSeries, source: Clip, output: Clip, face: int) -> None:
        self._series = series
        self._source, self._output = source.analysis, output.analysis
        self._face = face
        rows = self._source.rows_of(face)
        frame = self._source.frame[rows]
        landmarks, times = self._source.landmarks_px[rows], source.inspection.times_s[frame]
        restart = self._source.restarts(rows)
        paths = crop_path(landmarks, times, restart, LEAST) if len(rows) else np.zeros((0, 2, 3))
        self._side = crop_side(LEAST * paths[:, 0, 0])
        paths[:, :, :2] *= LEAST / self._side
        self._crops = dict(zip(frame.tolist(), paths, strict=True))
        self._points_before, self._points_after = (
            dict(zip(a.frame[mine].tolist(), a.landmarks_px[mine], strict=True))
            for a in (self._source, self._output)
            for mine in [a.rows_of(face)]
        )
        self._fresh = set(frame[restart].tolist())
        rate = float(source.inspection.info.frame_rate)
        self._look_every = max(1, round(rate / LOOKS_PER_S))
        self._still_every = max(1, -(-len(rows) // STILLS))
        self._seen = 0
        self._small_before: list[NDArray[np.uint8]] | None = None
        self._worst = 0.0
        self.changed = 0

    def see(self, number: int, before: _Shown, after: _Shown) -> None:
        """Measures one frame."""
        faces = [p for a in (self._source, self._output) for p in a.landmarks_px[a.frame == number]]
        self._outside(number, before.whole, after.whole, faces)
        if number not in self._crops:
            self._small_before = None
            return
        points = self._points_before[number]
        if self._seen % self._look_every == 0:
            self._look(number, before.face, after.face, points, self._points_after.get(number))
        self._crop(number, before.face, after.face, points)
        self._seen += 1

    def _outside(
        self, number: int, before: RGBFrame, after: RGBFrame, faces: list[NDArray[np.float32]]
    ) -> None:
        outside = outside_mask(before.shape, faces)
        series = self._series
        series.background[number] = background_error(before, after, outside)
        worst = worst_block(before, after, outside)
        series.outside[number] = worst.difference
        if worst.difference > self._worst:
            self._worst, series.outside_at = worst.difference, (worst.x, worst.y)

    def _look(
        self,
        number: int,
        before: RGBFrame,
        after: RGBFrame,
        points_before: NDArray[np.float32],
        points_after: NDArray[np.float32] | None,
    ) -> None:
        if points_after is None:
            return
        series, (identity, expression) = self._series, judges()
        plate = identity.embed(before, points_before)
        edit = identity.embed(after, points_after)
        series.plate.append(plate)
        series.edit.append(edit)
        series.identity[number] = np.linalg.norm(edit - plate)
        series.expression_before[number] = expression.read(before, points_before)
        series.expression_after[number] = expression.read(after, points_after)
        others = (self._source.frame == number) & (self._source.track != self._face)
        series.others += [identity.embed(before, p) for p in self._source.landmarks_px[others]]

    def _crop(
        self, number: int, before: RGBFrame, after: RGBFrame, points: NDArray[np.float32]
    ) -> None:
        series, frame_from_crop = self._series, self._crops[number]
        grey = [_crop_of(_grey(image), frame_from_crop, self._side) for image in (before, after)]
        small = [_shrunk(g, SMALL) for g in grey]
        change = change_map(small[0], small[1])
        changed = changed_mask(change)
        series.heat += change
        self.changed += 1
        series.seam[number] = seam(small[0], small[1], changed)
        in_crop = affine.apply(affine.inverse(frame_from_crop), points)
        face = face_mask(grey[0].shape, in_crop)
        whole = _enlarged(changed, self._side)
        series.sharpness[number] = sharpness(grey[0], grey[1], face & whole)
        self._flicker(number, [_shrunk(s, SIDE) for s in small], _picked(face, SIDE))
        if self._seen % self._still_every == 0:
            shown = (_still(image, frame_from_crop, self._side) for image in (before, after))
            series.stills.append(Still(number, *shown))

    def _flicker(self, number: int, grey: list[NDArray[np.uint8]], face: NDArray[np.uint8]) -> None:
        earlier = None if number in self._fresh else self._small_before
        if earlier is not None:
            self._series.warp_before[number] = warp_error(earlier[0], grey[0], face)
            self._series.warp_after[number] = warp_error(earlier[1], grey[1], face)
        self._small_before = grey


def crop_side(spans_px: NDArray[np.float64]) -> int:
    """Side of a shot's crops, a multiple of SMALL: that of its largest face in the plate.

    Args:
        spans_px: what each frame's crop spans of the plate.
    """
    span = float(spans_px.max(initial=0.0))
    return int(np.clip(math.ceil(span / SMALL) * SMALL, LEAST, SIDE_MAX))


def _grey(image: RGBFrame) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def _crop_of(
    image: NDArray[np.uint8], frame_from_crop: NDArray[np.float64], size: int
) -> NDArray[np.uint8]:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(
        image, frame_from_crop, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.uint8)


def _shrunk(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _enlarged(mask: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def _picked(mask: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_NEAREST), np.uint8)


def _still(image: RGBFrame, frame_from_crop: NDArray[np.float64], side: int) -> bytes:
    """The crop as a JPEG; warped at twice its size and halved, so that nothing aliases."""
    scale = side / (2 * STILL)
    twice = frame_from_crop @ np.diag([scale, scale, 1.0])
    return _jpeg(_shrunk(_crop_of(image, twice, 2 * STILL), STILL))


def _jpeg(image: RGBFrame) -> bytes:
    ok, coded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), _JPEG)
    return coded.tobytes() if ok else b""

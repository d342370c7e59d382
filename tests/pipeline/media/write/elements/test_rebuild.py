"""From the written files alone: plate + matte · layer is the output, to a code value."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from engines.interface import AlignedCrops, EditedCrops
from keyframes.au import AUDelta
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.plan import EditPlan, nothing_lent
from pipeline.edit.render import render_segment
from pipeline.edit.segments import Span
from pipeline.media.colour import picture_rgb
from pipeline.media.planes import plane_views, sample_layout
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.media.write.elements.element import elements_of, places
from pipeline.media.write.elements.publishing import elements_beside
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.media.write.mux import finish
from pipeline.settings import ElementWish

SIZE = 64
EDITED = (2, 3, 4, 5)
X264 = {"codec": "libx264", "options": {"preset": "ultrafast", "qp": "0"}}
FFV1 = {"codec": "ffv1", "options": {}, "name": "f.mkv", "time_base": Fraction(1, 1000)}
TIMES = {"pts": tuple(512 * n for n in (1, 2, 3, 5, 6, 8, 9, 10))}
PLATES = {
    "yuv420p": {**X264, **TIMES, "pix_fmt": "yuv420p", "metadata": {"timecode": "01:00:00:00"},
                "sar": Fraction(4, 3), "rotation": 90, "name": "a.mov"},
    "yuv422p10le": {**X264, **TIMES, "pix_fmt": "yuv422p10le", "colour": (9, 16, 9, 1)},
    "yuv444p12le": {**FFV1, "pts": tuple(range(0, 320, 40)), "pix_fmt": "yuv444p12le"},
    "gbrp10le": {**FFV1, "pts": tuple(range(0, 320, 40)), "pix_fmt": "gbrp10le",
                 "colour": (1, 1, 0, 2), "size": (161, 121)},
}  # fmt: skip


class Wild:
    """Adds rough colours under a soft mask; so strong that samples reach both ends."""

    crop_size, batch_size = SIZE, 2

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        y, x = np.mgrid[0:SIZE, 0:SIZE] - (SIZE - 1) / 2
        mask = np.clip((SIZE * 0.45 - np.hypot(x, y)) / 12, 0, 1).astype(np.float32)
        random = np.random.default_rng(int(crops.frame_index[0]))
        rough = cv2.GaussianBlur(random.standard_normal((SIZE, SIZE, 3)), (0, 0), 1.2)
        white = np.iinfo(crops.images.dtype).max
        wanted = crops.images + rough * 0.9 * white
        edited = np.clip(wanted, 0, white).astype(np.float32)
        masks = np.stack([mask] * len(crops))
        return EditedCrops(edited, crops.images.astype(np.float32), masks)


def plan() -> EditPlan:
    """Two faces that overlap, one of them beyond the frame's edge."""
    frame = np.repeat(EDITED, 2)
    count = len(frame)
    places_ = [[[0.9, 0.1, 30.3], [-0.1, 0.9, 25.6]], [[0.7, 0, 62.2], [0, 0.7, -11.4]]]
    delta = np.zeros((count, 12), np.float32)
    delta[:, 6] = np.repeat((1, 2, 3, 4.5), 2)
    return EditPlan(
        frame=frame, field=np.zeros(count, np.int8), track=np.tile((0, 1), len(EDITED)),
        delta=delta, lids=np.zeros((count, 2), np.float32), size=np.full(count, SIZE),
        coded_from_crop=np.array(places_ * len(EDITED)),
        landmarks_px=np.zeros((count, 68, 2), np.float32), pose=np.zeros((count, 3), np.float32),
        hands_px=np.full((count, 2, 21, 2), np.nan, np.float32),
        **nothing_lent(count),
    )  # fmt: skip


def made(source: str, folder: Path, wish: ElementWish) -> tuple[Inspection, Path]:
    """An output and its elements, in two pieces."""
    seen = inspect_video(source)
    encode = mirror_settings(seen.info, "ultrafast", index=seen.index)
    output = folder / f"out{Path(source).suffix}"
    pieces = []
    with MicroBatcher(Wild(), seed=1) as batcher:
        for span in (Span(0, 0, 2), Span(1, 3, seen.frames - 1)):
            piece = folder / f"{span.number}.{encode.piece_format}"
            render_segment(
                seen, span, plan().within(span), batcher, encode, piece, elements=elements_of(wish)
            )
            pieces.append(piece)
    strength = plan().strength(seen.frames)
    with elements_beside(output, seen, pieces, wish, strength, replace=False):
        finish(seen.info, seen.index, [str(p) for p in pieces], str(output), encode)
    return seen, output


def frames_of(path: Path) -> list[list[np.ndarray]]:
    seen = inspect_video(str(path))
    frames = decode_range(str(path), seen.info, seen.index, 0, seen.frames - 1)
    return [[v.astype(np.int64) for v in plane_views(f)] for f in frames]


def mattes(output: Path, wish: ElementWish) -> list[tuple[np.ndarray, np.ndarray]]:
    """Matte and layer of each frame, read as any compositor would."""
    place = places(output, wish)["matte"]
    if wish.matte == "png":
        found = [cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in sorted(place.glob("*.png"))]
        whole = [p[..., [2, 1, 0, 3]] / 65535 for p in found]
    else:
        names = sorted(place.glob("*.exr")) if place.is_dir() else [place]
        whole = [f for name in names for f in _movie(name)]
    signed = (lambda rgb: rgb) if wish.matte == "exr" else (lambda rgb: 2 * rgb - 1)
    return [(p[..., 3], signed(p[..., :3])) for p in whole]


def _movie(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [_rgba(frame) for frame in container.decode(video=0)]


def _rgba(frame: av.VideoFrame) -> np.ndarray:
    """By the book: nothing of the writer's is used."""
    if frame.format.name.startswith("yuva"):
        bits = frame.format.components[0].bits
        y, cb, cr, a = (
            np.frombuffer(p, np.uint16).reshape(p.height, -1)[:, : p.width] / 2.0 ** (bits - 8)
            for p in frame.planes
        )
        kr, kb = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}[int(frame.colorspace)]
        y, cb, cr = (y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
        red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
        green = (y - kr * red - kb * blue) / (1 - kr - kb)
        return np.dstack([red, green, blue, a / ((2**bits - 1) / 2.0 ** (bits - 8))])
    kinds = {"f32": (np.float32, 1), "f16": (np.float16, 1)}
    kind, scale = next((v for k, v in kinds.items() if k in frame.format.name), (np.uint16, 65535))
    g, b, r, a = (np.frombuffer(p, kind).reshape(p.height, -1)[:, : p.width] for p in frame.planes)
    return np.dstack([r, g, b, a]).astype(float) / scale


def rebuilt(seen: Inspection, plate: list[np.ndarray], matte: Any, layer: Any) -> list[np.ndarray]:
    """Plate + matte · layer in the plate's own samples."""
    layout = sample_layout(seen.info.pix_fmt)
    change = matte[..., None] * layer
    kr, kb = seen.info.colour.luma_weights() if not layout.is_rgb else (0, 0)
    if layout.is_rgb:
        parts = [change[..., n] * layout.full_scale for n in range(3)]
    else:
        unit = 2.0 ** (layout.bits - 8)
        luma = change @ np.array([kr, 1 - kr - kb, kb])
        blue = (change[..., 2] - luma) / (2 - 2 * kb)
        red = (change[..., 0] - luma) / (2 - 2 * kr)
        parts = [luma * 219 * unit, blue * 224 * unit, red * 224 * unit]
    made_ = []
    for number, (samples, part) in enumerate(zip(plate, parts, strict=True)):
        if number and not layout.is_rgb:
            height, width = samples.shape
            blocks = part.reshape(height, layout.step_y, width, layout.step_x)
            part = blocks.mean(axis=(1, 3))  # noqa: PLW2901
        made_.append(np.clip(np.rint(samples + part), 0, layout.full_scale).astype(np.int64))
    return made_


@pytest.mark.parametrize("kind", ["ffv1", "png", "exr"])
@pytest.mark.parametrize("plate", PLATES)
def test_plate_plus_matte_times_layer_is_the_output(footage, tmp_path, plate, kind):
    source, wish = footage(**PLATES[plate]), ElementWish(matte=kind)
    seen, output = made(source, tmp_path, wish)
    before, after, found = frames_of(Path(source)), frames_of(output), mattes(output, wish)
    assert len(found) == len(before) == len(after) == 8
    for number, (old, new, (matte, layer)) in enumerate(zip(before, after, found, strict=True)):
        assert matte.shape == (seen.info.height, seen.info.width)
        differences = [
            np.abs(a - b).max() for a, b in zip(rebuilt(seen, old, matte, layer), new, strict=True)
        ]
        assert max(differences) <= 1, (number, differences)
        moved = max(np.abs(a - b).max() for a, b in zip(old, new, strict=True))
        full = sample_layout(seen.info.pix_fmt).full_scale
        assert (moved > full / 4) == (number in EDITED)
        assert (matte.max() > 0.99) == (number in EDITED)
        assert (matte > 0).mean() < 0.5


def test_a_matte_of_an_8_bit_plate_is_rebuilt_from_prores_too(footage, tmp_path):
    """Its layer is coded with loss, in 10 bits: rare samples are two values off."""
    source, wish = footage(**PLATES["yuv420p"]), ElementWish(matte="prores")
    seen, output = made(source, tmp_path, wish)
    off = [
        np.abs(a - b)
        for old, new, (matte, layer) in zip(
            frames_of(Path(source)), frames_of(output), mattes(output, wish), strict=True
        )
        for a, b in zip(rebuilt(seen, old, matte, layer), new, strict=True)
    ]
    whole = np.concatenate([part.ravel() for part in off])
    print(whole.max(), (whole > 1).mean(), whole.mean())
    assert whole.max() <= 2
    assert (whole > 1).mean() < 1e-3


@pytest.mark.parametrize("kind", ["png", "exr"])
@pytest.mark.parametrize("plate", PLATES)
def test_a_sequence_shows_every_frame_of_the_output_before_encoding(footage, tmp_path, plate, kind):
    source, wish = footage(**PLATES[plate]), ElementWish(sequence=kind)
    seen, output = made(source, tmp_path, wish)
    folder = places(output, wish)["sequence"]
    pictures = sorted(p for p in folder.iterdir() if p.suffix == f".{kind}")
    assert [p.name for p in pictures] == [f"out.sequence.{n:06}.{kind}" for n in range(8)]
    shown = inspect_video(str(output))
    frames = decode_range(str(output), shown.info, shown.index, 0, 7)
    deep = seen.info.bit_depth > 8
    for path, frame in zip(pictures, frames, strict=True):
        expected = picture_rgb(frame, seen.info)
        if kind == "png":
            found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]
            assert found.dtype == (np.uint16 if deep else np.uint8)
            found, expected = found / np.iinfo(found.dtype).max, expected.clip(0, 1)
        else:
            with av.open(str(path)) as container:
                (picture,) = container.decode(video=0)
            found = _rgb(picture)
        step = 1 / (65535 if deep or kind == "exr" else 255)
        loss = 2**-11 if kind == "exr" else 0.51 * step  # half floats, within 0…2
        assert np.abs(found - expected).max() <= loss


def _rgb(frame: av.VideoFrame) -> np.ndarray:
    kind = np.float16 if "f16" in frame.format.name else np.float32
    g, b, r = (np.frombuffer(p, kind).reshape(p.height, -1)[:, : p.width] for p in frame.planes)
    return np.dstack([r, g, b]).astype(float)


def test_elements_have_the_plates_clock_shape_and_colours(footage, tmp_path):
    source = footage(**PLATES["yuv420p"])
    for kind in ("prores", "ffv1"):
        folder = tmp_path / kind
        folder.mkdir()
        wish = ElementWish(matte=kind, sequence="exr")
        seen, output = made(source, folder, wish)
        found = inspect_video(str(places(output, wish)["matte"]))
        for name in ("width", "height", "sar", "rotation", "timecode", "frame_rate"):
            assert getattr(found.info, name) == getattr(seen.info, name), name
        times = [i.index.pts * float(i.info.time_base) for i in (found, seen)]
        assert np.abs(times[0] - times[1]).max() < 0.001
        colours = [(i.info.colour.primaries, i.info.colour.transfer) for i in (found, seen)]
        assert colours[0] == colours[1]
    about = json.loads((places(output, wish)["sequence"] / "about.json").read_text())
    assert about["colour"]["primaries"] == about["colour"]["transfer"] == 1
    assert (about["timecode"], about["rotation_degrees"]) == ("01:00:00:00", seen.info.rotation)
    assert about["times_s"] == seen.times_s.tolist()
    rows = places(output, wish)["strength"].read_text().splitlines()
    assert rows[0] == "frame,time_s,timecode,strength"
    assert [row.split(",")[2:] for row in rows[3:6]] == [
        ["01:00:00:02", "1.0000"], ["01:00:00:03", "2.0000"], ["01:00:00:04", "3.0000"],
    ]  # fmt: skip
    assert {row.split(",")[3] for row in (rows[1], rows[2], *rows[7:])} == {"0.0000"}


def test_an_exr_says_its_time_code_rate_and_primaries_itself(footage, tmp_path):
    """Read by the layout of the format: name, type, size, value."""
    source, wish = footage(**PLATES["yuv420p"]), ElementWish(sequence="exr")
    seen, output = made(source, tmp_path, wish)
    data = (places(output, wish)["sequence"] / "out.sequence.000003.exr").read_bytes()
    found, at = {}, 8
    while data[at]:
        name, kind = data[at:].split(b"\0", 2)[:2]
        at += len(name) + len(kind) + 2
        size = struct.unpack_from("<i", data, at)[0]
        found[name.decode()] = data[at + 4 : at + 4 + size]
        at += 4 + size
    assert struct.unpack("<I", found["timeCode"][:4])[0] == 0x01000003
    assert Fraction(*struct.unpack("<iI", found["framesPerSecond"])) == seen.info.frame_rate
    assert struct.unpack("<8f", found["chromaticities"])[:2] == pytest.approx((0.64, 0.33))


def test_nothing_is_replaced_unasked_and_nothing_half_written_stays(footage, tmp_path):
    source, wish = footage(**PLATES["yuv420p"]), ElementWish(matte="png", sequence="png")
    _, output = made(source, tmp_path, wish)
    before = sorted(p.name for p in tmp_path.iterdir())
    output.unlink()
    with pytest.raises(FileExistsError):
        made(source, tmp_path, wish)
    assert sorted({p.name for p in tmp_path.iterdir()}) == before

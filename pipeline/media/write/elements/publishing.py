"""Pieces of elements → a movie, a folder of pictures and a table beside the output.

Each grows beside its name and takes it only when all of them and the output are whole.
"""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from keyframes.clock.smpte import Timecode, parse_timecode, timecode_at
from keyframes.errors import KeyframeError
from pipeline.errors import MediaError
from pipeline.files import unpublished
from pipeline.media.info import VideoInfo
from pipeline.media.opening import one_line_errors, open_video
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.read.inspection import Inspection
from pipeline.media.read.origin import MADE_BY, origin_tag
from pipeline.media.read.probe import probe
from pipeline.media.read.scan import scan
from pipeline.media.write.containers import muxer_of, muxer_options
from pipeline.media.write.elements.element import Element, elements_of, places, strength_place
from pipeline.media.write.elements.exr import with_labels
from pipeline.media.write.elements.painting import is_half
from pipeline.media.write.elements.writers import movie_settings
from pipeline.media.write.join import piece_stream, plan_join
from pipeline.media.write.matroska_aspect import write_pixel_shape
from pipeline.settings import ElementWish

ABOUT = "about.json"
"""In a folder of pictures: what the pictures themselves cannot say."""


@contextmanager
def elements_beside(
    output: Path,
    inspection: Inspection,
    pieces: Sequence[Path],
    wish: ElementWish,
    strength: NDArray[np.float32],
    *,
    replace: bool,
) -> Iterator[dict[str, Path]]:
    """Makes an output's elements; they take their names when the output has its own.

    Args:
        pieces: of the output; those of its elements lie beside them.
        strength: `(N,)` of the edit, per frame: the largest change of an AU, 0…10.
        replace: what stands at their places is replaced.
    Yields:
        what each element is, and where it will lie.
    Raises:
        MediaError: pieces that do not fit, what the disk complains of, a movie that reads back
            otherwise than it was written; something stands at a place and `replace` is off.
    """
    with ExitStack() as stack:
        for element in elements_of(wish):
            part = stack.enter_context(unpublished(element.place(output), replace=replace))
            own = [element.piece(piece) for piece in pieces]
            with one_line_errors(element.place(output), f"write the {element.what}"):
                if element.is_movie:
                    _write_movie(part, element, inspection, own)
                else:
                    _write_pictures(part, element, inspection, own, output)
        if wish.matte is not None:
            part = stack.enter_context(unpublished(strength_place(output), replace=replace))
            _write_strength(part, inspection, strength)
        yield places(output, wish)


def _write_movie(
    part: Path, element: Element, inspection: Inspection, pieces: Sequence[Path]
) -> None:
    info, settings = movie_settings(element, inspection.info)
    index = inspection.index
    paths = [str(piece) for piece in pieces]
    plan_join(paths, info, index)
    late = {info.time_base.denominator} if index.pts[0] else set[int]()
    options = muxer_options(str(part), {0: info.time_base}, {}, late)
    muxer = muxer_of(str(part))
    shift = -round(info.clock_start_s / info.time_base) if info.is_mpegts else 0
    with av.open(str(part), "w", format=muxer, container_options=options) as target:
        with open_video(paths[0]) as first:
            template = piece_stream(first, paths[0])
            stream = target.add_stream_from_template(template, opaque=True)
            if muxer == "mov":
                stream.codec_context.codec_tag = template.codec_context.codec_tag
        _describe(stream, info)
        stream.codec_context.framerate = Fraction(settings.frame_rate)
        target.metadata.update(origin_tag(muxer, {}))
        number = 0
        for path in paths:
            with open_video(path) as source:
                for packet in source.demux(piece_stream(source, path)):
                    if not packet.size:
                        continue
                    packet.pts = packet.dts = int(index.pts[number]) + shift
                    packet.duration, packet.time_base = int(index.duration[number]), info.time_base
                    packet.stream = stream
                    target.mux(packet)
                    number += 1
    if muxer == "matroska" and probe(str(part)).sar != info.sar:
        write_pixel_shape(str(part), stream.index, info.sar)
    _check_movie(part, info, index, shift)


def _describe(stream: VideoStream, info: VideoInfo) -> None:
    """What of the plate holds for its matte too."""
    context = stream.codec_context
    stream.time_base = info.time_base
    context.sample_aspect_ratio = info.sar
    context.color_primaries, context.color_trc = info.colour.primaries, info.colour.transfer
    context.colorspace, context.color_range = info.colour.tagged_matrix, info.colour.tagged_range
    if info.display_matrix is not None:
        stream.set_display_matrix(info.display_matrix)
    if info.timecode is not None:
        stream.metadata["timecode"] = info.timecode


def _check_movie(part: Path, info: VideoInfo, index: FrameIndex, shift: int) -> None:
    found = probe(str(part))
    seen = scan(str(part), found)
    if len(seen) != len(index):
        raise MediaError(f"{part}: holds {len(seen)} frames; expected {len(index)}; run again")
    off = seen.pts * float(found.time_base) - (index.pts + shift) * float(info.time_base)
    if np.abs(off).max() >= found.time_base:
        raise MediaError(f"{part}: a frame is {np.abs(off).max():.6f} s off; run again")
    for name in ("width", "height", "codec", "timecode", "sar", "rotation"):
        if getattr(found, name) != getattr(info, name):
            raise MediaError(
                f"{part}: {name} reads back as {getattr(found, name)}; "
                f"expected {getattr(info, name)}"
            )


def _write_pictures(
    part: Path,
    element: Element,
    inspection: Inspection,
    pieces: Sequence[Path],
    output: Path,
) -> None:
    part.mkdir()
    number, info = 0, inspection.info
    labels = timecodes(inspection)
    for piece in pieces:
        with zipfile.ZipFile(piece) as archive:
            for name in sorted(archive.namelist(), key=int):
                made = part / element.picture_name(output, number)
                data = archive.read(name)
                if element.kind == "exr":
                    how = info.height, info.frame_rate, info.colour.primaries
                    data = with_labels(data, *how, labels[number])
                made.write_bytes(data)
                number += 1
    if number != inspection.frames:
        raise MediaError(f"{part}: {number} pictures; expected {inspection.frames}; run again")
    about = _about(element, inspection, output)
    (part / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def _about(element: Element, inspection: Inspection, output: Path) -> dict[str, Any]:
    info, colour = inspection.info, inspection.info.colour
    rebuilt = "plate + A * RGB" if element.kind == "exr" else "plate + A * (2 * RGB - 1)"
    return {
        "made": MADE_BY,
        "what": element.what,
        "of": output.name,
        "first_frame": 0,
        "frames": inspection.frames,
        "size": [info.width, info.height],
        "pixel_aspect": str(info.sar),
        "rotation_degrees": info.rotation,
        "mirrored": info.mirrored,
        "frame_rate": str(info.frame_rate),
        "timecode": info.timecode,
        "times_s": inspection.times_s.tolist(),
        "bit_depth_of_plate": info.bit_depth,
        "samples": "half" if is_half(element.kind, info) else "float"
        if element.kind == "exr" else "integer",
        "colour": {
            "said_by": "ITU-T H.273 code points; the samples are R'G'B' in this transfer",
            "primaries": colour.primaries,
            "transfer": colour.transfer,
            "matrix_of_plate": colour.matrix,
            "matrix_was_assumed": colour.matrix_assumed,
            "range": "full",
            "range_of_plate": "full" if colour.full_range else "limited",
        },
        **({"output": rebuilt} if element.what == "matte" else {}),
    }  # fmt: skip


def _write_strength(part: Path, inspection: Inspection, strength: NDArray[np.float32]) -> None:
    labels = timecodes(inspection)
    with part.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("frame", "time_s", "timecode", "strength"))
        for frame, (time, label, value) in enumerate(
            zip(inspection.times_s, labels, strength, strict=True)
        ):
            table.writerow((frame, f"{time:.6f}", label or "", f"{value:.4f}"))


def timecodes(inspection: Inspection) -> list[Timecode | None]:
    """Each frame's label, counted from the clip's own; None where it has none."""
    info = inspection.info
    try:
        start = parse_timecode(info.timecode or "")
        first = start.frame_number(info.frame_rate)
    except KeyframeError:
        return [None] * inspection.frames
    return [
        timecode_at(first + n, info.frame_rate, drop_frame=start.drop_frame)
        for n in range(inspection.frames)
    ]

"""Reading a finished file back: is everything of the source in it, and nothing else changed?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from av.stream import Disposition

from pipeline.errors import MediaError
from pipeline.media.info import VideoInfo
from pipeline.media.opening import one_line_errors, open_video
from pipeline.media.read.probe import main_video, probe
from pipeline.media.read.scan import FrameIndex, scan
from pipeline.media.write.copying import CopiedStream, kept_tags


@dataclass(frozen=True)
class StreamDigest:
    """What a stream's packets amount to.

    Attributes:
        index, kind: number in the file; `video`, `audio`, …
        is_cover: a picture without a time.
        packets: how many.
        payload_md5: over all packets' bytes in file order, however they are cut (PCM is cut anew).
        first_s, last_s: least and greatest time, exact seconds; None without times.
        tick_s: the stream's clock.
    """

    index: int
    kind: str
    is_cover: bool
    packets: int
    payload_md5: str
    first_s: Fraction | None
    last_s: Fraction | None
    tick_s: Fraction


def stream_digests(path: str) -> list[StreamDigest]:
    """One pass over a file's packets; memory does not grow with its length.

    Raises:
        MediaError: the file cannot be read.
    """
    with open_video(path) as container, one_line_errors(path, "read its packets"):
        counts = {
            s.index: CopiedStream(
                s.index,
                s,
                s.type,
                bool(s.disposition & Disposition.attached_pic),
                s.time_base or Fraction(1),
            )
            for s in container.streams
        }
        for packet in container.demux():
            if packet.size:
                counts[packet.stream.index].count(packet)
    return [
        StreamDigest(
            c.source_index, c.kind, c.is_cover, c.packets, c.payload.hexdigest(), c.first_s,
            c.last_s, c.tick_s,
        )
        for c in counts.values()
    ]  # fmt: skip


def stream_payload_md5(path: str) -> dict[int, str]:
    """Payload md5 of every stream, by stream number."""
    return {digest.index: digest.payload_md5 for digest in stream_digests(path)}


def verify_output(
    path: str,
    info: VideoInfo,
    index: FrameIndex,
    copies: Sequence[CopiedStream],
    shift_s: Fraction,
) -> list[str]:
    """Compare a written file with what it must hold.

    Args:
        info, index: of the source.
        copies: the streams that were copied, as counted on the way.
        shift_s: by which all times were moved.
    Returns:
        warnings: what the container could not keep of tags a player can do without.
    Raises:
        MediaError: frames, their times, a copied payload or its times, colour tags, rotation,
            pixel shape or format differ.
    """
    found = probe(path)
    _check_picture(path, info, found)
    warnings = _check_times(path, info, index, found, shift_s)
    _check_copies(path, info, copies)
    return [*warnings, *_lost_tags(path, info, found)]


def _check_picture(path: str, info: VideoInfo, found: VideoInfo) -> None:
    def look(video: VideoInfo) -> dict[str, Any]:
        colour = video.colour
        return {
            "codec": video.codec,
            "profile": video.profile if video.codec in ("prores", "dnxhd") else None,
            "size": (video.width, video.height),
            "pixel format": video.pix_fmt.replace("yuvj", "yuv"),
            "primaries": colour.primaries,
            "transfer": colour.transfer,
            "matrix": colour.tagged_matrix,
            "full range": colour.full_range,
            "rotation": (video.rotation, video.mirrored),
            "sample aspect": video.sar,
        }

    expected = look(info)
    for name, value in look(found).items():
        if value != expected[name]:
            raise MediaError(f"{path}: its {name} reads back as {value}; expected {expected[name]}")


def _check_times(
    path: str, info: VideoInfo, index: FrameIndex, found: VideoInfo, shift_s: Fraction
) -> list[str]:
    shown = scan(path, found)
    if len(shown) != len(index):
        raise MediaError(f"{path}: shows {len(shown)} frames; expected {len(index)}")
    worst = Fraction(0)
    for number, (pts, source_pts) in enumerate(zip(shown.pts, index.pts, strict=True)):
        off = abs(int(pts) * found.time_base - int(source_pts) * info.time_base - shift_s)
        if off >= found.time_base:
            raise MediaError(
                f"{path}: frame {number} is shown {float(off) * 1000:.3f} ms off its source"
            )
        worst = max(worst, off)
    if worst == 0:
        return []
    return [
        f"frame times are rounded to the container's clock of {found.time_base} s "
        f"(at most {float(worst) * 1000:.3f} ms)"
    ]


def _check_copies(path: str, info: VideoInfo, copies: Sequence[CopiedStream]) -> None:
    digests = stream_digests(path)
    with open_video(path) as container:
        ours = main_video(container, path).index
        same_packets = ("mpegts" in info.container) == ("mpegts" in container.format.name)
    covers = {d.payload_md5 for d in digests if d.is_cover}
    tracks = iter([d for d in digests if not d.is_cover and d.index != ours])
    for copy in copies:
        name = f"{copy.kind} stream {copy.source_index}"
        if copy.is_cover:
            if copy.payload.hexdigest() not in covers:
                raise MediaError(f"{path}: the cover picture {copy.source_index} was not kept")
            continue
        track = next(tracks, None)
        if track is None or track.kind != copy.kind:
            raise MediaError(f"{path}: {name} was not kept")
        if same_packets and track.payload_md5 != copy.payload.hexdigest():
            raise MediaError(f"{path}: {name} was not kept byte for byte")
        _check_track_times(path, name, copy, track)


def _check_track_times(path: str, name: str, copy: CopiedStream, track: StreamDigest) -> None:
    pairs = [(copy.first_s, track.first_s)]
    if copy.packets == track.packets:  # PCM is cut into other packets
        pairs.append((copy.last_s, track.last_s))
    for source_s, found_s in pairs:
        if source_s is None or found_s is None:
            continue
        if abs(source_s - found_s) >= max(copy.tick_s, track.tick_s):
            raise MediaError(
                f"{path}: {name} is {float(abs(source_s - found_s)) * 1000:.3f} ms off its source"
            )


def _lost_tags(path: str, info: VideoInfo, found: VideoInfo) -> Iterator[str]:
    if found.hdr != info.hdr:
        yield "mastering display or light level did not survive"
    if found.timecode != info.timecode:
        yield f"time code {info.timecode} reads back as {found.timecode}"
    if found.interlaced != info.interlaced:
        yield f"interlacing is kept in the pictures, but flagged as {found.field_order}"
    with open_video(info.path) as source, open_video(path) as written:
        if len(source.chapters()) != len(written.chapters()):
            yield f"{len(written.chapters())} of {len(source.chapters())} chapters were kept"
        had, has = _tags(kept_tags(source.metadata)), _tags(written.metadata)
    lost = sorted(key for key, value in had.items() if has.get(key) != value)
    if lost:
        yield f"the container did not take the tags {', '.join(lost)}"


def _tags(metadata: dict[str, str]) -> dict[str, str]:
    return {key.lower(): value for key, value in metadata.items()}

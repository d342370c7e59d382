"""The encoded pieces of one request: what names them, which are there, and whether they belong.

A piece's name and marker carry the digest of all that its bytes depend on, and the marker holds the
hash of those bytes, so that nothing that another run or another curve left can be taken for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.edit.plan import EditPlan, read_plan
from pipeline.edit.segments import Span, untouched_groups
from pipeline.errors import PipelineError
from pipeline.files import read_json, sha256_of, write_json
from pipeline.inspected import bounds_of
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.read.inspection import Inspection
from pipeline.media.write.elements.element import Element, elements_of
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.media.write.encoding.settings import EncodeSettings
from pipeline.media.write.join import Copied, Part
from pipeline.run_folder.store import VideoFolder
from pipeline.settings import RenderSettings, digest_of

LEAST_COPIED = 24
"""Shortest run of frames worth a cut where a piece copies single frames itself."""


def encode_settings(inspection: Inspection, settings: RenderSettings) -> EncodeSettings:
    """The encoder that mirrors a source; the same for every piece of it."""
    return mirror_settings(
        inspection.info, settings.encode_preset, index=inspection.index, wish=settings.encode
    )


def frames_to_copy(
    index: FrameIndex, active: NDArray[np.bool_], encode: EncodeSettings
) -> NDArray[np.bool_]:
    """`(N,)` frames that need no rendering.

    Args:
        active: `(N,)` frames that enter the editor.
    """
    if not encode.copies_groups:
        return np.zeros(len(active), bool)
    return untouched_groups(index.group, active, LEAST_COPIED if encode.copies_untouched else 1)


def segment_digest(
    span: Span, plan: EditPlan, settings: RenderSettings, encode: EncodeSettings
) -> str:
    """Names all that a piece's bytes depend on."""
    edits = plan.within(span).digest()
    return digest_of(asdict(span), edits, settings.editor_digest, asdict(encode))


def files_of(
    folder: VideoFolder,
    span: Span,
    digest: str,
    encode: EncodeSettings,
    elements: Sequence[Element],
) -> list[Path]:
    """What a span has in the folder once it is rendered: its piece, unless its frames are copied,
    and those of its elements.
    """
    piece = folder.piece(span.number, digest, encode.piece_format)
    return [*([] if span.copied else [piece]), *(element.piece(piece) for element in elements)]


def committed(
    folder: VideoFolder,
    span: Span,
    digest: str,
    encode: EncodeSettings,
    elements: Sequence[Element] = (),
) -> dict[str, Any] | None:
    """A piece's marker, where its piece is the one that the marker vouches for, byte for byte.

    Args:
        elements: whose pieces belong to it.
    """
    files = files_of(folder, span, digest, encode, elements)
    if not files:
        return {"frames": span.frames, "edited": 0, "notes": ""}
    marker = read_json(folder.marker(span.number, digest))
    if not marker or marker["digest"] != digest or not all(file.is_file() for file in files):
        return None
    known = [marker["sha256"], *marker.get("elements", [])]
    return marker if [sha256_of(file) for file in files] == known else None


def commit(
    folder: VideoFolder, span: Span, digest: str, files: Sequence[Path], counts: dict[str, Any]
) -> None:
    """Writes a finished piece's marker.

    Args:
        files: of `files_of`.
    """
    own, *beside = map(sha256_of, files)
    marker = {"digest": digest, "sha256": own, "elements": beside, **counts}
    write_json(folder.marker(span.number, digest), marker)


def write_spans(folder: VideoFolder, request: str, spans: list[Span], digests: list[str]) -> None:
    """Publishes the segments that a request is made of."""
    stored = {"request": request, "spans": [asdict(s) for s in spans], "digests": digests}
    write_json(folder.spans(request), stored)


def kept_cut(
    folder: VideoFolder,
    copied: NDArray[np.bool_],
    digest_of_span: Callable[[Span], str],
    first: int = 0,
) -> list[Span] | None:
    """The cut of an earlier run that has finished pieces, however many workers there are now.

    Args:
        copied: `(N,)` frames that come from the source by packet.
        digest_of_span: names a segment's piece as this run would make it.
        first: the number of the first of these frames: of a part of a clip, the clip's.
    Returns:
        of several, as another curve leaves one, that with most frames finished; None without.
    """
    done: dict[int, list[Span]] = {}
    for path in sorted(folder.job_folder.glob("spans-*.json")):
        spans = [Span(**s) for s in (read_json(path) or {}).get("spans", [])]
        if not _covers(spans, first, first + len(copied) - 1):
            continue
        if all(_is_copied(s, copied, first) == s.copied for s in spans):
            made = [s for s in spans if folder.marker(s.number, digest_of_span(s)).is_file()]
            done[sum(s.frames for s in made)] = spans
    most = max(done, default=0)
    return done[most] if most else None


def _is_copied(span: Span, copied: NDArray[np.bool_], first: int) -> bool | None:
    """Whether all of its frames are copied or none; None where some are."""
    inside = copied[span.first - first : span.last - first + 1]
    return bool(inside[0]) if inside.all() == inside.any() else None


def planned_span(folder: VideoFolder, request: str, number: int) -> Span:
    """One of the segments that `write_spans` published.

    Raises:
        PipelineError: there is none of that number.
    """
    stored = read_json(folder.spans(request)) or {}
    for span in stored.get("spans", []):
        if span["number"] == number:
            return Span(**span)
    raise PipelineError(f"{folder.spans(request)}: has no segment {number}; run again")


def planned_pieces(
    folder: VideoFolder,
    request: str,
    inspection: Inspection,
    settings: RenderSettings,
    encode: EncodeSettings,
) -> tuple[list[Part], list[Path]]:
    """The pieces of exactly this request, in order.

    Returns:
        what the output is joined from: pieces, and what is copied in their place, by its frames'
        numbers in what is made; and a name for each, beside which the pieces of elements lie.
    Raises:
        PipelineError: plan, segments and pieces do not belong together; what is wrong is removed.
    """
    stored = read_json(folder.spans(request)) or {}
    plan = read_plan(folder.plan(request))
    spans = [Span(**s) for s in stored.get("spans", [])]
    digests = [segment_digest(s, plan, settings, encode) for s in spans]
    asked = stored.get("request") == request and stored.get("digests") == digests
    first, last = bounds_of(inspection, settings.only)
    if not asked or not _covers(spans, first, last):
        folder.spans(request).unlink(missing_ok=True)
        raise PipelineError(f"{folder.spans(request)}: is not what this run planned; run again")
    for span, digest in zip(spans, digests, strict=True):
        if committed(folder, span, digest, encode, elements_of(settings.elements)) is None:
            folder.marker(span.number, digest).unlink(missing_ok=True)
            raise PipelineError(
                f"segment {span.number}: its piece is not the one that was made; run again"
            )
    names = [
        folder.piece(s.number, d, encode.piece_format) for s, d in zip(spans, digests, strict=True)
    ]
    parts = [
        Copied(s.first - first, s.last - first) if s.copied else str(name)
        for s, name in zip(spans, names, strict=True)
    ]
    return parts, names


def _covers(spans: list[Span], first: int, last: int) -> bool:
    """Whether the spans, in order, hold every frame from first to last once."""
    at = first
    for span in spans:
        if span.first != at:
            return False
        at = span.last + 1
    return at == last + 1

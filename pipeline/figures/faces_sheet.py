"""The sheet of faces: every face of every shot with its number, times, picture and likeness."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import cv2

from engines.interface import RGBFrame
from pipeline.faces.listing import ListedFace
from pipeline.faces.sightings import NOBODY, Sighting, Who
from pipeline.figures.verdict_page.images import data_address
from pipeline.figures.verdict_page.page import document
from pipeline.files import published, write_json
from pipeline.media.read.inspection import Inspection

SCHEMA = "aureel-faces/1"
SHEET, LIST, TABLE = "sheet.html", "faces.json", "faces.csv"
JPEG_QUALITY = 92


@dataclass(frozen=True)
class FaceRow:
    """One face of one shot, as the JSON list and the CSV table hold it.

    Attributes:
        person: a letter; faces with the same one are one person, where the rule is sure.
        first_frame, last_frame, start_s, end_s: of its shot, where it is seen.
        frames, frontal_frames: in how many it is, and is seen frontally.
        picture: a file beside the list.
        nameable: the picture shows this face alone, so a curve may take it.
        name, distance, runner_up: whom the curve calls so; "" and None where nobody is sure.
        perhaps: `name distance`, doubts; the curve is refused over them.
    """

    clip: str
    shot: int
    face: int
    person: str
    first_frame: int
    last_frame: int
    start_s: float
    end_s: float
    frames: int
    frontal_frames: int
    best_frame: int
    best_s: float
    picture: str
    nameable: bool
    name: str = ""
    distance: float | None = None
    runner_up: float | None = None
    perhaps: str = ""


def letter(group: int) -> str:
    """A, B, … Z, AA, AB, …"""
    group, rest = divmod(group, 26)
    return (letter(group - 1) if group else "") + chr(ord("A") + rest)


def write_pictures(
    folder: Path, stem: str, inspection: Inspection, listed: Sequence[ListedFace], who: Who = NOBODY
) -> list[FaceRow]:
    """Writes a picture of each face of a clip into a folder; the rows that describe them.

    Args:
        stem: what the pictures' names begin with.
        who: the people of a curve, where they were found.
    """
    rows: list[FaceRow] = []
    for face in listed:
        seen = face.appearance
        picture = f"{stem}.shot{seen.shot}.face{seen.face}.jpg"
        _write_picture(folder / picture, face.picture)
        times = inspection.times_s
        sure = _of(who.sightings, face)
        rows.append(
            FaceRow(
                clip=inspection.info.path,
                shot=seen.shot,
                face=seen.face,
                person=letter(face.group),
                first_frame=seen.first,
                last_frame=seen.last,
                start_s=round(float(times[seen.first]), 4),
                end_s=round(float(times[seen.last]), 4),
                frames=len(seen.rows),
                frontal_frames=seen.frontal,
                best_frame=face.best_frame,
                best_s=round(float(times[face.best_frame]), 4),
                picture=picture,
                nameable=face.is_nameable,
                name=sure[0].name if sure else "",
                distance=sure[0].distance if sure else None,
                runner_up=sure[0].runner_up if sure else None,
                perhaps=", ".join(f"{d.name} {d.distance:.2f}" for d in _of(who.doubts, face)),
            )
        )
    return rows


def _of(sightings: Sequence[Sighting], face: ListedFace) -> list[Sighting]:
    seen = face.appearance
    return [
        s for s in sightings
        if (s.shot, s.face, s.first) == (seen.shot, seen.face, seen.first)
    ]  # fmt: skip


def _write_picture(path: Path, picture: RGBFrame) -> None:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    coded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)[1]
    with published(path) as partial:
        partial.write_bytes(coded.tobytes())


def write_sheet(folder: Path, rows: Sequence[FaceRow]) -> list[Path]:
    """Writes the page, the JSON list and the CSV table; their paths, the page first."""
    page, listed, table = (folder / name for name in (SHEET, LIST, TABLE))
    write_json(listed, {"schema": SCHEMA, "faces": [asdict(row) for row in rows]})
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(FaceRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    with published(table) as partial:
        partial.write_text(text.getvalue(), "utf-8")
    with published(page) as partial:
        partial.write_text(document("Faces", _body(folder, rows)), "utf-8")
    return [page, listed, table]


def _body(folder: Path, rows: Sequence[FaceRow]) -> str:
    clips = list(dict.fromkeys(row.clip for row in rows))
    people = len({row.person for row in rows})
    parts = [
        f"<header><h1>{len(rows)} faces, {people} people as far as the pictures are sure</h1>"
        '<p class="sub">A curve addresses a face by its number in each shot (<code>faces: 1</code>)'
        " or a person by pictures (<code>faces: {lead: PICTURE.jpg}</code>), in every shot and "
        "clip. The same letter means the same person; letters can be wrong, look at them.</p>"
        "</header>"
    ]
    for clip in clips:
        own = [row for row in rows if row.clip == clip]
        parts.append(f"<section><h2>{html.escape(Path(clip).name)}</h2>")
        for shot in sorted({row.shot for row in own}):
            faces = [row for row in own if row.shot == shot]
            parts.append(f"<h3>Shot {shot}</h3><div class='people'>")
            parts += [_face(folder, face) for face in faces]
            parts.append("</div>")
        parts.append("</section>")
    return "".join(parts)


def _face(folder: Path, row: FaceRow) -> str:
    lines = [
        f"<b>face {row.face}</b> · person {row.person}",
        f"{row.start_s:.2f}–{row.end_s:.2f} s, {row.frames} frames",
        f"best: frame {row.best_frame}, {row.best_s:.2f} s",
    ]
    if row.name:
        lines.append(f"<b>{html.escape(row.name)}</b> (distance {row.distance:.2f})")
    if row.perhaps:
        lines.append(f'<span class="sign warn">unsure: {html.escape(row.perhaps)}</span>')
    if not row.nameable:
        lines.append("not alone in its picture: no use as a name's picture")
    source = data_address((folder / row.picture).read_bytes())
    return (
        f'<figure><img src="{source}" alt="face {row.face} of shot {row.shot}">'
        f"<figcaption>{'<br>'.join(lines)}<br><code>{html.escape(row.picture)}</code>"
        "</figcaption></figure>"
    )

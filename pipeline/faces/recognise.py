"""Looking for the people of a curve in a clip, by their pictures.

Embeddings are biometric data: they live in this process's memory for the length of a call. What is
kept and told is names, places and distances.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.interface import Face, RGBFrame
from engines.judges.identity import IdentityJudge
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.people import Person
from keyframes.sheet import KeyframeSheet
from pipeline.errors import PipelineError
from pipeline.faces.faces import Analysis
from pipeline.faces.sightings import (
    ACCEPT,
    ACCEPT_FEW,
    FRONTAL_DEG,
    FRONTAL_LEAST,
    MARGIN,
    NOBODY,
    Appearance,
    Sighting,
    Who,
    appearances,
    name_faces,
)
from pipeline.media.read.decoding.chosen import chosen_frames
from pipeline.media.read.inspection import Inspection

LOOKS = 7
"""Frames of each face that are looked at; its distance is the median over them."""
DOUBTS_TOLD = 3


@lru_cache(maxsize=1)
def _judge() -> IdentityJudge:
    return IdentityJudge()


@lru_cache(maxsize=1)
def _tracker() -> MeshTracker:
    """What finds the face in a picture of somebody: the packaged one, whatever tracks footage."""
    return MeshTracker()


@dataclass(frozen=True)
class Look:
    """One face in one frame, and who it is like.

    Attributes:
        frame: its number.
        picture: the whole frame.
        box, landmarks_px: of the face, display pixels.
        embedding: `(128,)` float32; for this call only.
    """

    frame: int
    picture: RGBFrame
    box: NDArray[np.float32]
    landmarks_px: NDArray[np.float32]
    embedding: NDArray[np.float32]


def looks(
    inspection: Inspection, analysis: Analysis, faces: Sequence[Appearance]
) -> Iterator[tuple[int, Look]]:
    """Up to LOOKS looks at each face, by its number in `faces`; in frame order."""
    wanted: dict[int, list[tuple[int, int]]] = {}
    for number, face in enumerate(faces):
        for row in _best_rows(analysis, face):
            wanted.setdefault(int(analysis.frame[row]), []).append((number, int(row)))
    for frame, picture in chosen_frames(inspection, wanted):
        for number, row in wanted[frame]:
            landmarks = analysis.landmarks_px[row]
            embedding = _judge().embed(picture, landmarks)
            yield number, Look(frame, picture, analysis.box[row], landmarks, embedding)


def _best_rows(analysis: Analysis, face: Appearance) -> NDArray[np.intp]:
    """Rows spread over the frontal ones; without enough of them, the most frontal ones."""
    rows = face.rows[~analysis.bridged[face.rows]]
    turned = np.abs(analysis.pose[rows, :2])
    frontal = rows[(turned <= FRONTAL_DEG).all(axis=1)]
    if len(frontal) >= FRONTAL_LEAST:
        return frontal[np.linspace(0, len(frontal) - 1, min(LOOKS, len(frontal))).astype(int)]
    return rows[np.argsort(turned.sum(axis=1), kind="stable")[:LOOKS]]


def recognise(
    inspection: Inspection, analysis: Analysis, sheet: KeyframeSheet, *, few: float = ACCEPT_FEW
) -> Who:
    """Who of the curve's people is where, in the shots where the curve asks something of them.

    Args:
        few: up to which distance a face is sure that was seldom seen frontally.

    Raises:
        PipelineError: a picture that is unreadable or does not show one face.
        MediaError: a frame that cannot be decoded.
    """
    if not sheet.people:
        return NOBODY
    asked = {person.name for person in sheet.people} & set(map(str, sheet.targets()))
    faces = _asked_shots(inspection, analysis, sheet, asked)
    people = sheet.people
    distance = np.full((len(faces), len(people)), np.inf)
    if faces:
        pictures = [embeddings_of(person) for person in people]
        seen: list[list[NDArray[np.float32]]] = [[] for _ in faces]
        for number, look in looks(inspection, analysis, faces):
            seen[number].append(look.embedding)
        distance = np.array([[_apart(s, p) for p in pictures] for s in seen])
    who = name_faces(analysis, faces, [person.name for person in people], distance, few)
    doubts = tuple(doubt for doubt in who.doubts if doubt.name in asked)
    return Who(who.sightings, doubts, {n: d for n, d in who.nearest.items() if n in asked})


def _apart(seen: list[NDArray[np.float32]], pictures: NDArray[np.float32]) -> float:
    """The median over the looks; the nearest of several pictures."""
    if not seen:
        return np.inf
    each = np.linalg.norm(np.stack(seen)[:, None] - pictures[None], axis=2)
    return float(np.median(each, axis=0).min())


def _asked_shots(
    inspection: Inspection, analysis: Analysis, sheet: KeyframeSheet, asked: set[str]
) -> tuple[Appearance, ...]:
    """All faces of the shots in which the curve would change a face if it had one of the names."""
    everybody = appearances(analysis)
    wanted: set[int] = set()
    for face in {one.face for one in everybody}:
        measured = analysis.intensity_over_time(face)
        active = np.zeros(analysis.frames, bool)
        for name in asked:
            active |= sheet.evaluate(inspection.timeline, measured, face=name).delta.active
        wanted.update(
            one.shot
            for one in everybody
            if one.face == face and active[analysis.frame[one.rows]].any()
        )
    return tuple(one for one in everybody if one.shot in wanted)


def embeddings_of(person: Person) -> NDArray[np.float32]:
    """`(K, 128)` of a person's pictures.

    Raises:
        PipelineError: one that is unreadable or does not show exactly one face.
    """
    return np.stack([_picture_embedding(person.name, path) for path in person.pictures])


def _picture_embedding(name: str, path: str) -> NDArray[np.float32]:
    try:
        coded = np.frombuffer(Path(path).read_bytes(), np.uint8)
    except OSError as error:
        raise PipelineError(f"faces: {name}: {path}: {error.strerror or error}") from None
    bgr = cv2.imdecode(coded, cv2.IMREAD_COLOR) if len(coded) else None
    if bgr is None:
        raise PipelineError(f"faces: {name}: {path}: is no picture; expected one, such as JPEG")
    picture = np.ascontiguousarray(bgr[..., ::-1], np.uint8)
    found = faces_in(picture)
    if len(found) != 1:
        raise PipelineError(
            f"faces: {name}: {path} shows {len(found)} faces; expected one; "
            "`aureel faces CLIP` makes pictures of each face of a clip"
        )
    return _judge().embed(picture, found[0].landmarks_px)


def faces_in(picture: RGBFrame) -> list[Face]:
    """The faces that a picture of somebody shows."""
    return _tracker().track([picture])[0]


def check_people(sheet: KeyframeSheet) -> None:
    """Refuses pictures that cannot tell people apart, before anything is looked at.

    Raises:
        PipelineError: a picture without exactly one face; two names for one person.
    """
    shown = [(person.name, embeddings_of(person)) for person in sheet.people]
    for number, (name, pictures) in enumerate(shown):
        for other, theirs in shown[:number]:
            apart = float(np.linalg.norm(pictures[:, None] - theirs[None], axis=2).min())
            if apart < MARGIN:
                raise PipelineError(
                    f"faces: {other} and {name} are one person in their pictures (distance "
                    f"{apart:.2f}); expected a name for each person"
                )


def refuse_doubts(who: Who, inspection: Inspection) -> None:
    """Nobody is guessed: where a face may be somebody, the person is asked.

    Raises:
        PipelineError: naming faces, distances, and how to answer.
    """
    if not who.doubts:
        return
    told = [_doubt(doubt, inspection) for doubt in who.doubts[:DOUBTS_TOLD]]
    more = f" and {len(who.doubts) - DOUBTS_TOLD} more" if len(who.doubts) > DOUBTS_TOLD else ""
    name = who.doubts[0].name
    raise PipelineError(
        f"faces: unsure: {'; '.join(told)}{more}. Sure is up to {ACCEPT:g} with {MARGIN:g} to the "
        f"next; `aureel faces {inspection.info.path}` shows them and makes pictures: add one "
        f"to {name} (faces: {{{name}: [first.jpg, second.jpg]}}), or name who else it is"
    )


def _doubt(doubt: Sighting, inspection: Inspection) -> str:
    start, end = inspection.times_s[doubt.first], inspection.times_s[doubt.last]
    after = "" if doubt.runner_up is None else f", the next {doubt.runner_up:.2f}"
    return (
        f"face {doubt.face} of shot {doubt.shot} ({start:.2f}–{end:.2f} s) may be {doubt.name} "
        f"({doubt.distance:.2f}{after})"
    )


def told(who: Who, inspection: Inspection) -> list[str]:
    """Lines for a report: which face got which name, and who was not found."""
    lines = [
        f"{s.name} is face {s.face} of shot {s.shot}, {inspection.times_s[s.first]:.2f}–"
        f"{inspection.times_s[s.last]:.2f} s (distance {s.distance:.2f}"
        + ("" if s.runner_up is None else f", the next {s.runner_up:.2f}")
        + ")"
        for s in who.sightings
    ]
    found = {sighting.name for sighting in who.sightings}
    lines += [
        f"{name} is nobody in this clip (nearest {nearest:.2f})"
        for name, nearest in who.nearest.items()
        if name not in found
    ]
    return lines

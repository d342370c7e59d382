"""The people of a study: photographs and clips in a folder, or drawn people at rest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from engines.interface import RGBFrame
from pipeline.errors import PipelineError
from pipeline.files import sha256_of
from pipeline.heads.people import person
from pipeline.heads.render import View, render_person
from pipeline.media.write.pictures import write_still
from pipeline.studies.calm import calm_frame

SYNTHETIC = "synthetic"
VIEW = View(size=512, zoom=1.5)
"""How drawn people are seen: their faces as large as in portraits."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
CLIP_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".mxf")


@dataclass(frozen=True)
class Identity:
    """One person of a study.

    Attributes:
        name: in tables and file names.
        source: a picture's or clip's path, or `synthetic:3`.
        digest: changes when the picture or clip does.
    """

    name: str
    source: str
    digest: str

    @property
    def is_drawn(self) -> bool:
        return self.source.startswith(f"{SYNTHETIC}:")

    @property
    def is_clip(self) -> bool:
        return Path(self.source).suffix.lower() in CLIP_SUFFIXES


def find_identities(given: str, count: int) -> list[Identity]:
    """The first `count` people.

    Args:
        given: a folder of pictures and clips, each of one person, or `synthetic`.
    Raises:
        PipelineError: no such folder, neither in it, two of one name.
    """
    if given == SYNTHETIC:
        return [_drawn(number) for number in range(count)]
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise PipelineError(
            f"--identities {given}: no such folder; expected a folder of pictures or clips, "
            f"or {SYNTHETIC}"
        )
    known = (*SUFFIXES, *CLIP_SUFFIXES)
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in known)[:count]
    if not found:
        raise PipelineError(
            f"--identities {given}: got no pictures or clips; expected {', '.join(known)}, "
            "a person each"
        )
    names = [p.stem for p in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise PipelineError(f"--identities {given}: two files are called {twice}; rename one")
    return [Identity(p.stem, str(p.absolute()), sha256_of(p)[:16]) for p in found]


def _drawn(number: int) -> Identity:
    source = f"{SYNTHETIC}:{number}"
    facts = f"{source} {VIEW} {person(number)}"
    return Identity(f"drawn{number:02d}", source, hashlib.sha256(facts.encode()).hexdigest()[:16])


def what_they_are(people: Sequence[Identity]) -> str:
    """The faces of a study, for its methods paragraph."""
    if all(one.is_drawn for one in people):
        return "drawn people of MakeHuman's CC0 geometry"
    kinds = {"calm frames of clips" if one.is_clip else "photographs" for one in people}
    return " and ".join(sorted(kinds, reverse=True))


def picture_of(identity: Identity) -> RGBFrame:
    """`(H, W, 3)` uint8 RGB with even sides, upright; of a clip, a calm frame.

    Raises:
        PipelineError: the file is neither a picture nor a video with a face.
    """
    if identity.is_drawn:
        return render_person(person(int(identity.source.partition(":")[2])), view=VIEW)
    source = Path(identity.source)
    picture = calm_frame(source) if identity.is_clip else read_picture(source)
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    return np.ascontiguousarray(picture[:height, :width])


def read_picture(path: Path) -> RGBFrame:
    """`(H, W, 3)` uint8 RGB, upright.

    Raises:
        PipelineError: the file is no picture.
    """
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise PipelineError(f"{path}: cannot be read as a picture")
    return np.ascontiguousarray(np.asarray(bgr, np.uint8)[..., ::-1])


def plate_of(identity: Identity, folder: Path) -> Path:
    """The picture as a clip of one frame in that folder, made where it is not there yet.

    Raises:
        PipelineError: the file is no picture.
    """
    plate = folder / f"{identity.name}-{identity.digest}.mkv"
    return plate if plate.is_file() else write_still(plate, picture_of(identity))

"""The people of a study: photographs in a folder, or drawn people at rest."""

from __future__ import annotations

import hashlib
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

SYNTHETIC = "synthetic"
VIEW = View(size=512, zoom=1.5)
"""How drawn people are seen: their faces as large as in portraits."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True)
class Identity:
    """One person of a study.

    Attributes:
        name: in tables and file names.
        source: a picture's path, or `synthetic:3`.
        digest: changes when the picture does.
    """

    name: str
    source: str
    digest: str


def find_identities(given: str, count: int) -> list[Identity]:
    """The first `count` people.

    Args:
        given: a folder of pictures, each of one person, or `synthetic`.
    Raises:
        PipelineError: no such folder, no picture in it, two of one name.
    """
    if given == SYNTHETIC:
        return [_drawn(number) for number in range(count)]
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise PipelineError(
            f"--identities {given}: no such folder; expected a folder of pictures, or {SYNTHETIC}"
        )
    pictures = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)[:count]
    if not pictures:
        raise PipelineError(
            f"--identities {given}: got no pictures; expected {', '.join(SUFFIXES)}, a person each"
        )
    names = [p.stem for p in pictures]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise PipelineError(f"--identities {given}: two pictures are called {twice}; rename one")
    return [Identity(p.stem, str(p.absolute()), sha256_of(p)[:16]) for p in pictures]


def _drawn(number: int) -> Identity:
    source = f"{SYNTHETIC}:{number}"
    facts = f"{source} {VIEW} {person(number)}"
    return Identity(f"drawn{number:02d}", source, hashlib.sha256(facts.encode()).hexdigest()[:16])


def picture_of(identity: Identity) -> RGBFrame:
    """`(H, W, 3)` uint8 RGB with even sides, upright.

    Raises:
        PipelineError: the file is no picture.
    """
    if identity.source.startswith(f"{SYNTHETIC}:"):
        return render_person(person(int(identity.source.partition(":")[2])), view=VIEW)
    picture = read_picture(Path(identity.source))
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

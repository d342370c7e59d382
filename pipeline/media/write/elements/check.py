"""Before any work: can the elements be made, is there room for them, and what is to say of them?"""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.errors import MediaError
from pipeline.media.info import VideoInfo
from pipeline.media.read.inspection import Inspection
from pipeline.media.write.elements.element import Element, elements_of
from pipeline.media.write.elements.painting import is_half
from pipeline.settings import ElementWish

MATTE_BYTES = {"prores": 0.15, "ffv1": 0.1, "png": 0.1, "exr": 0.15}
"""Per pixel, where a tenth of the picture is edited."""
PNG_BYTES, EXR_BYTES = 0.6, 0.75
"""Of a picture's file against its samples."""
GB = 1e9
PRORES_PLATE_BITS = 8
PRORES_IS_COARSE = (
    "matte: ProRes holds the layer with loss, in 10 bits; of a {bits}-bit plate the output is "
    "rebuilt to within a few code values (--matte ffv1, png and exr: one)"
)


def check_elements(
    inspection: Inspection, wish: ElementWish, output: Path, work: Path
) -> tuple[str, ...]:
    """Refuses elements for which there is no room: once as pieces, once beside the output.

    Args:
        work: where pieces lie.
    Returns:
        what a report should tell of them, one line each.
    Raises:
        MediaError: naming what is needed and what is free.
    """
    info = inspection.info
    need = sum(estimated_bytes(e, info, inspection.frames) for e in elements_of(wish))
    places = [_existing(output.parent), _existing(work)]
    if places[0].stat().st_dev == places[1].stat().st_dev:
        need, places = 2 * need, places[:1]
    for place in places if need else ():
        free = shutil.disk_usage(place).free
        if free < need:
            raise MediaError(
                f"{output}: its matte and pictures take about {need / GB:.1f} GB while they are "
                f"made, and {place} has {free / GB:.1f} GB free; free some, or take another "
                "--output or --work"
            )
    if wish.matte == "prores" and info.bit_depth > PRORES_PLATE_BITS:
        return (PRORES_IS_COARSE.format(bits=info.bit_depth),)
    return ()


def estimated_bytes(element: Element, info: VideoInfo, frames: int) -> int:
    """What an element takes, roughly."""
    if element.what == "matte":
        per_pixel = MATTE_BYTES[element.kind]
    elif element.kind == "png":
        per_pixel = PNG_BYTES * 3 * (1 if info.bit_depth == 8 else 2)
    else:
        per_pixel = EXR_BYTES * 3 * (2 if is_half(element.kind, info) else 4)
    return int(per_pixel * info.width * info.height * frames)


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())

"""Sheets of source, previz and plate side by side, and strips of frames in a row: to be looked at.

    python docs/evaluation/picture_sheets.py CLIP… --output sheets/

Per clip a PNG with a row per expression at two frames, and one per strip of consecutive frames:
eyes that shut and a smile that comes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.plate.editor import PlateEditor
from engines.editors.previz.editor import PrevizEditor
from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.interface import FaceEditor
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.load import parse_sheet
from pipeline.edit.batcher import edit_crops
from pipeline.edit.lending.kept import Library
from pipeline.edit.lending.making import borrowed
from pipeline.edit.lending.told import lending_told
from pipeline.edit.plan import EditPlan, plan_edits
from pipeline.edit.render import crop_request
from pipeline.edit.shown import shown
from pipeline.media.colour import crop_rgb
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import inspect_video
from pipeline.quality.clip import Clip, measure

SIDE, SHOWN = 512, slice(80, 440)
POSES = {
    "12+6": "AU12: [[0s, 3]], AU6: [[0s, 2]]",
    "25+26": "AU25: [[0s, 3]], AU26: [[0s, 2]]",
    "1+2": "AU1: [[0s, 3]], AU2: [[0s, 3]]",
    "4": "AU4: [[0s, 3]]",
    "9": "AU9: [[0s, 3]]",
    "15": "AU15: [[0s, 3]]",
    "43": "AU43: [[0s, 5]]",
}
SHOWN_BY = ("source", "previz", "plate")
STRIP = 9
_Picture = NDArray[np.uint8]


def planned(clip: Clip, channels: str) -> tuple[EditPlan, Library]:
    """The largest face's edits and what is lent to them."""
    sheet = parse_sheet(f"version: 1\nchannels: {{{channels}}}\n", "sheet")
    plan = plan_edits(clip.inspection, clip.analysis, sheet, SIDE).plan.of_face(0)
    return borrowed(plan, clip.analysis, clip.inspection, SIDE)


def pictures(clip: Clip, plan: EditPlan, library: Library, number: int) -> list[_Picture]:
    """A frame's crop before, by previz and by plate."""
    info, index = clip.inspection.info, clip.inspection.index
    frame = next(iter(decode_range(info.path, info, index, number, number)))
    row = int(np.searchsorted(plan.frame, number))
    image = shown(info, crop_rgb(frame, info, plan.coded_from_crop[row], SIDE))
    lent = crop_request(plan, row, image, library)
    editors: tuple[FaceEditor, ...] = PrevizEditor(SIDE), PlateEditor(SIDE)
    made = [edit_crops(editor, [lent], 0)[0].edited for editor in editors]
    return [part[SHOWN, SHOWN] for part in (image, *made)]


def labelled(picture: _Picture, text: str) -> _Picture:
    """The picture with a line of text over it."""
    out = picture.copy()
    cv2.putText(out, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 0), 1, cv2.LINE_AA)
    return out


def poses_sheet(clip: Clip) -> _Picture:
    """A row per expression, at two frames."""
    rows: list[_Picture] = []
    for name, channels in POSES.items():
        plan, library = planned(clip, channels)
        times = clip.inspection.times_s
        print(f"  {name}: {'; '.join(lending_told(plan, clip.analysis, times))}")
        cells: list[_Picture] = []
        for number in plan.frame[[len(plan) // 6, 4 * len(plan) // 5]].tolist():
            for part, what in zip(pictures(clip, plan, library, number), SHOWN_BY, strict=True):
                cells.append(labelled(part, f"{name} {number} {what}"))
        rows.append(np.concatenate(cells, axis=1))
    return np.concatenate(rows)


def strip(clip: Clip, channel: str, level: float) -> _Picture:
    """Consecutive frames in which one thing comes: previz above plate."""
    first = clip.frames // 3
    start, end = clip.inspection.times_s[[first, first + STRIP - 2]].tolist()
    plan, library = planned(clip, f"{channel}: [[{start:.4f}s, 0], [{end:.4f}s, {level}]]")
    seen = [pictures(clip, plan, library, first + 1 + step) for step in range(STRIP)]
    return np.concatenate([np.concatenate([one[k] for one in seen], axis=1) for k in (1, 2)])


def main() -> None:
    """Makes the sheets of each clip."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, default=Path("sheets"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    for path in options.clips:
        print(path.name, flush=True)
        seen = inspect_video(str(path))
        clip = Clip(seen, measure(seen, MeshTracker(), MeshAUEstimator()))
        made = {"poses": poses_sheet(clip), "blink": strip(clip, "AU43", 5)}
        made["smile"] = strip(clip, "AU12", 4)
        for name, picture in made.items():
            cv2.imwrite(str(options.output / f"{path.stem}.{name}.png"), picture[..., ::-1])


if __name__ == "__main__":
    main()

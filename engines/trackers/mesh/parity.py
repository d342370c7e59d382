"""How far the mesh tracker is from what MediaPipe itself found, frame by frame.

    python -m engines.trackers.mesh.parity CLIPS_DIR MESH_NPZ

MESH_NPZ holds `<clip>_<frame>.landmarks_px` (faces, 478, 3), `.blendshapes` (faces, 52) and
`.matrix` (faces, 4, 4) for frames of `CLIPS_DIR/<clip>.mp4`. Prints one JSON line per frame. Exit
status: 0 within the bounds, 1 beyond them or with another number of faces, 2 for a wrong call.

Frames are read by OpenCV: what it decodes was equal, sample by sample, to PyAV's rgb24.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from engines.errors import EngineError
from engines.faces.head_pose import rotation_of
from engines.interface import Face, RGBFrame
from engines.trackers.mesh.tracker import MeshTracker

LANDMARKS_BOUND_PERCENT = 0.02
BLENDSHAPES_BOUND = 0.005
ROTATION_BOUND_DEG = 0.02

_PARTS = {"landmarks_px": (478, 3), "blendshapes": (52,), "matrix": (4, 4)}


@dataclass(frozen=True)
class Witness:
    """What MediaPipe found in one frame, F faces: `(F, 478, 3)` px, `(F, 52)`, `(F, 4, 4)`."""

    landmarks_px: NDArray[np.float32]
    blendshapes: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def __post_init__(self) -> None:
        for part, shape in _PARTS.items():
            values = getattr(self, part)
            if values.shape != (len(self.matrix), *shape) or not np.isfinite(values).all():
                raise EngineError(
                    f"witness {part}: got shape {values.shape}; "
                    f"expected finite (faces, {', '.join(map(str, shape))})"
                )


@dataclass(frozen=True)
class FrameErrors:
    """The worst face of a frame; errors are 0 where neither found a face.

    Attributes:
        landmarks_percent: worst point, 3-D, in percent of the witness's outer-eye distance.
        blendshapes: worst coefficient.
        rotation_deg: angle between the head rotations.
    """

    clip: str
    frame: int
    faces: int
    faces_expected: int
    landmarks_percent: float = 0.0
    blendshapes: float = 0.0
    rotation_deg: float = 0.0

    @property
    def within(self) -> bool:
        """The same faces, each within the bounds."""
        return (
            self.faces == self.faces_expected
            and self.landmarks_percent <= LANDMARKS_BOUND_PERCENT
            and self.blendshapes <= BLENDSHAPES_BOUND
            and self.rotation_deg <= ROTATION_BOUND_DEG
        )


def rotation_between_deg(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Angle between two head matrices; by the chord, which is exact for small angles."""
    chord = float(np.linalg.norm(rotation_of(one) - rotation_of(other)))
    return float(np.degrees(2 * np.arcsin(min(1.0, chord / (2 * np.sqrt(2))))))


def compare(clip: str, frame: int, faces: Sequence[Face], witness: Witness) -> FrameErrors:
    """Errors of the faces the tracker found, each against the nearest of the witness."""
    count, expected = len(faces), len(witness.landmarks_px)
    if count != expected or count == 0:
        return FrameErrors(clip, frame, count, expected)
    meshes = np.array([f.mesh_px for f in faces])
    centres = np.linalg.norm(
        meshes[:, None].mean(axis=2) - witness.landmarks_px[None].mean(axis=2), axis=-1
    )
    ours, theirs = linear_sum_assignment(centres)
    golden = witness.landmarks_px[theirs]
    eyes = np.linalg.norm(golden[:, 33, :2] - golden[:, 263, :2], axis=-1)
    points = np.linalg.norm(meshes[ours] - golden, axis=-1).max(axis=-1)
    shapes = np.array([f.blendshapes for f in faces])[ours] - witness.blendshapes[theirs]
    matrices = np.array([f.matrix for f in faces])[ours]
    turns = map(rotation_between_deg, matrices, witness.matrix[theirs])
    return FrameErrors(
        clip,
        frame,
        count,
        expected,
        float((points / eyes).max() * 100),
        float(np.abs(shapes).max()),
        max(turns),
    )


def read_witness(path: Path) -> dict[str, dict[int, Witness]]:
    """Per clip and frame number.

    Raises:
        EngineError: unreadable, empty, or not in the layout described above.
    """
    found: dict[str, dict[int, Witness]] = defaultdict(dict)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for key in sorted({name.rpartition(".")[0] for name in arrays.files}):
                clip, _, number = key.rpartition("_")
                parts = {part: arrays[f"{key}.{part}"] for part in _PARTS}
                found[clip][int(number)] = Witness(**parts)
    except EngineError as error:
        raise EngineError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise EngineError(f"{path}: no such file; expected a witness .npz") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile):
        raise EngineError(
            f"{path}: not a witness; expected an .npz with "
            "<clip>_<frame>.landmarks_px, .blendshapes and .matrix"
        ) from None
    if not found:
        raise EngineError(f"{path}: got no frames; expected at least one")
    return found


def read_frames(path: Path, numbers: Sequence[int]) -> Iterator[tuple[int, RGBFrame]]:
    """The frames of those numbers, in order.

    Raises:
        EngineError: the clip cannot be opened, or ends before the last of them.
    """
    wanted = sorted(numbers)
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not video.isOpened():
        raise EngineError(f"{path}: cannot be read; expected a video file")
    try:
        for number in range(wanted[-1] + 1):
            there, bgr = video.read()
            if not there:
                raise EngineError(f"{path}: got {number} frames; expected frame {wanted[-1]} too")
            if number in wanted:
                yield number, np.ascontiguousarray(bgr[..., ::-1], np.uint8)
    finally:
        video.release()


def frame_errors(clips_dir: Path, witness_path: Path) -> Iterator[FrameErrors]:
    """Every frame of the witness, tracked for itself (as MediaPipe's IMAGE mode did)."""
    witness = read_witness(witness_path)
    absent = [clip for clip in witness if not (clips_dir / f"{clip}.mp4").is_file()]
    if absent:
        raise EngineError(f"{clips_dir}: no clip {absent[0]}.mp4, which {witness_path} speaks of")
    tracker = MeshTracker(max_faces=4, tiles=False)
    for clip, frames in witness.items():
        for number, rgb in read_frames(clips_dir / f"{clip}.mp4", list(frames)):
            (faces,) = tracker.track([rgb])
            yield compare(clip, number, faces, frames[number])


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    if len(arguments) != 2:
        print(
            f"mesh_parity: got {len(arguments)} arguments; expected CLIPS_DIR MESH_NPZ",
            file=sys.stderr,
        )
        return 2
    status = 0
    try:
        for errors in frame_errors(Path(arguments[0]), Path(arguments[1])):
            print(json.dumps(asdict(errors) | {"within": errors.within}))
            status = status if errors.within else 1
    except EngineError as error:
        print(f"mesh_parity: {error}", file=sys.stderr)
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The networks of the face-alignment library, loaded from local files and never fetched.

face-alignment looks for its weights under `$TORCH_HOME/hub/checkpoints` and downloads what is not
there. Here both files are asked for first, and its parts are driven one by one: no torch.compile,
and FAN on as many crops at once as there are.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from engines.errors import EngineError, EngineUnavailableError
from engines.interface import RGBFrame

DETECTOR_FILE = "s3fd-619a316812.pth"
LANDMARK_FILE = "2DFAN4-11f355bf06.pth.tar"
SOURCE = "https://www.adrianbulat.com/downloads/python-fan/"

# Where the mirrored picture shows each of the 68 points.
# fmt: off
_MIRRORED = [
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
]
# fmt: on


class FaceNetworks(Protocol):
    """A detector and a landmark network."""

    def detect(self, frames: Sequence[RGBFrame]) -> list[NDArray[np.float64]]:
        """Per frame `(F, 5)` x0, y0, x1, y1, score, best first; frames of one size."""
        ...

    def heatmaps(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`(N, 256, 256, 3)` uint8 RGB → `(N, 68, 64, 64)` float32."""
        ...


def weight_files(folder: Path | None = None) -> tuple[Path, Path]:
    """Detector's and landmark network's weights, in `folder` or where torch keeps such files.

    Raises:
        EngineUnavailableError: naming what is absent, where it belongs and where it comes from.
    """
    place = Path(torch.hub.get_dir()) / "checkpoints" if folder is None else folder
    absent = [n for n in (DETECTOR_FILE, LANDMARK_FILE) if not (place / n).is_file()]
    if absent:
        raise EngineUnavailableError(
            f"fan tracker: no {' and no '.join(absent)} in {place}; "
            f"expected there, fetched from {SOURCE}"
        )
    return place / DETECTOR_FILE, place / LANDMARK_FILE


class FaceAlignmentNetworks:
    """S³FD and FAN-4 of face-alignment 1.5.

    Args:
        weights: folder of the two weight files; None looks where torch keeps such files.
        device: "cpu" or "cuda".
        detect_side: frames are shown to the detector no larger than this on their longer side.
        mirror: show FAN each crop mirrored too and add the answers, as the library does.
    """

    def __init__(
        self,
        *,
        weights: Path | None,
        device: str,
        detect_side: int,
        mirror: bool,
    ) -> None:
        detector_file, landmark_file = weight_files(weights)
        try:
            from face_alignment.detection.sfd import FaceDetector
            from face_alignment.models import FAN
        except ModuleNotFoundError as error:
            raise EngineUnavailableError(
                f"fan tracker: {error.name} is not installed; pip install 'aureel[fan]'"
            ) from None
        self._device = device
        self._detect_side, self._mirror = detect_side, mirror
        try:
            self._detector: Any = FaceDetector(device, path_to_detector=str(detector_file))
            landmark_state = torch.load(landmark_file, map_location=device, weights_only=True)
            network = FAN(4)
            network.load_state_dict(landmark_state)
        except (OSError, RuntimeError, EOFError, TypeError, AttributeError, pickle.PickleError):
            raise EngineError(
                f"fan tracker: {detector_file} or {landmark_file.name} beside it "
                "are not the weights of face-alignment 1.5"
            ) from None
        self._landmarks: Any = network.to(device).eval()

    def detect(self, frames: Sequence[RGBFrame]) -> list[NDArray[np.float64]]:
        height, width = frames[0].shape[:2]
        scale = min(1.0, self._detect_side / max(height, width))
        if scale < 1.0:
            size = max(1, round(width * scale)), max(1, round(height * scale))
            frames = [_smaller(frame, size) for frame in frames]
        tensor = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
        found = [_boxes(faces) for faces in self._detector.detect_from_batch(tensor)]
        back = np.array([width, height] * 2) / ([frames[0].shape[1], frames[0].shape[0]] * 2)
        return [np.column_stack([faces[:, :4] * back, faces[:, 4]]) for faces in found]

    def heatmaps(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            images = torch.from_numpy(crops).to(self._device).permute(0, 3, 1, 2).float() / 255.0
            maps = self._landmarks(images)[-1]
            if self._mirror:
                maps = maps + self._landmarks(images.flip(3))[-1][:, _MIRRORED].flip(3)
            return maps.float().cpu().numpy()


def _smaller(frame: RGBFrame, size: tuple[int, int]) -> RGBFrame:
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _boxes(faces: Any) -> NDArray[np.float64]:
    """The library's list of `(5,)` → `(F, 5)`, best first."""
    boxes = np.array([np.asarray(face, np.float64)[:5] for face in faces]).reshape(-1, 5)
    return boxes[np.argsort(-boxes[:, 4], kind="stable")]

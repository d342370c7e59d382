"""LibreFace's AU intensities from its published checkpoint, batched and in memory.

The weights are under the USC licence, research and non-profit use only, so they are neither shipped
nor fetched: the user names the file. The library itself is not needed (its wheel pins torch 2.0).

What has been run: the network, its strict loading and the crop, with random weights in the
checkpoint's layout. The published weights were not at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engines.devices.torch_device import resolve_device
from engines.errors import EngineError, EngineUnavailableError
from engines.estimators.checks import check_features, check_measured
from engines.estimators.libreface.align import aligned_face
from engines.estimators.libreface.network import FILE_NAME, load_network
from engines.interface import Face, RGBFrame
from engines.weights.file_hash import cache_folder, file_sha256
from keyframes.au import AU_NAMES, AU_ORDER, INTENSITY_MAX, AUIntensity

_RESIZED, _CROPPED = 256, 224
_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
_STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def network_input(crops: NDArray[np.uint8]) -> Tensor:
    """`(N, 512, 512, 3)` uint8 RGB → `(N, 3, 224, 224)` float32, ImageNet-normalised.

    Source: LibreFace's own transform: resize to 256 (bilinear, antialiased), centre crop.
    """
    images = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255.0
    small = functional.interpolate(
        images, size=(_RESIZED, _RESIZED), mode="bilinear", antialias=True
    )
    rim = (_RESIZED - _CROPPED) // 2
    return (small[:, :, rim:-rim, rim:-rim] - _MEAN) / _STD


def weight_file(given: str | None) -> Path:
    """The checkpoint: the path given, or aureel's cache.

    Raises:
        EngineUnavailableError: not there; says where it comes from.
    """
    place = cache_folder() / "weights" / "libreface" / FILE_NAME
    path = place if given is None else Path(given).expanduser()
    if not path.is_file():
        raise EngineUnavailableError(
            f"LibreFace weights: no file {path}; expected {FILE_NAME} of LibreFace 0.2.0 "
            "(Google Drive id 1CbnBr8OBt8Wb73sL1ENcrtrWAFWSSRv0, research use only)"
        )
    return path


class LibreFaceEstimator:
    """12 AUs from LibreFace's ResNet-18; its scale is absolute and needs no neutral.

    Args:
        weights: path of `combined_resnet.pt`; None looks in `weights/libreface` of aureel's cache.
        device: "cpu" or "cuda"; None takes the GPU where there is one.
        batch_size: faces per call of the network.

    Raises:
        EngineUnavailableError: no such file or no such device here.
        EngineError: the file is not LibreFace's checkpoint.
    """

    def __init__(
        self, *, weights: str | None = None, device: str | None = None, batch_size: int = 32
    ) -> None:
        if batch_size < 1:
            raise EngineError(f"LibreFace batch size: got {batch_size}; expected 1 or more")
        self._device = str(resolve_device(device, "LibreFace"))
        self._network = load_network(weight_file(weights), self._device)
        self._batch_size = batch_size

    @staticmethod
    def unavailable(
        *, weights: str | None = None, device: str | None = None, **_: Any
    ) -> str | None:
        """Why it cannot run with these settings, told before anything loads; None when it can."""
        try:
            weight_file(weights)
            resolve_device(device, "LibreFace")
        except EngineUnavailableError as error:
            return str(error)
        return None

    @staticmethod
    def weights_digest(*, weights: str | None = None, **_: Any) -> str:
        """SHA-256 of the weights."""
        return file_sha256(weight_file(weights))

    @property
    def feature_names(self) -> tuple[str, ...]:
        return AU_NAMES

    def measure(
        self, frames: Sequence[RGBFrame], faces: Sequence[Sequence[Face]]
    ) -> list[NDArray[np.float32]]:
        check_measured(frames, faces)
        jobs = [(frame, face) for frame, found in zip(frames, faces, strict=True) for face in found]
        rows = np.zeros((len(jobs), len(AU_ORDER)), np.float32)
        for first in range(0, len(jobs), self._batch_size):
            batch = jobs[first : first + self._batch_size]
            rows[first : first + len(batch)] = self._intensities(batch)
        ends = np.cumsum([len(found) for found in faces])[:-1]
        return np.split(rows, ends) if len(faces) else []

    def _intensities(self, batch: Sequence[tuple[RGBFrame, Face]]) -> NDArray[np.float32]:
        crops = np.stack([aligned_face(frame, face) for frame, face in batch])
        with torch.inference_mode():
            return self._network(network_input(crops).to(self._device)).float().cpu().numpy()

    def neutral(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        check_features(features, AU_NAMES)
        return np.zeros(len(AU_NAMES), np.float32)

    def intensity(
        self,
        features: NDArray[np.float32],
        neutral: NDArray[np.float32] | None = None,  # noqa: ARG002  its scale is absolute
    ) -> AUIntensity:
        check_features(features, AU_NAMES)
        return AUIntensity(np.clip(features, 0.0, INTENSITY_MAX).astype(np.float32))

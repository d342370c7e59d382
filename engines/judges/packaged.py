"""Packaged ONNX networks in OpenCV's DNN: no dependency beyond the base install, no torch.

Every padding is written out in the files: OpenCV 5 computes `auto_pad` of strided convolutions
wrong (0.4 off in a probability), and OpenCV 4.10 cannot read a convolution without `kernel_shape`.
Both versions then agree with onnxruntime to 5e-7 (tests/engines/judges).
"""

from __future__ import annotations

import lzma
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.devices.litert import packaged_model


class PackagedNetwork:
    """One network with one input and one output, called picture by picture.

    Args:
        name: file of engines/models; `.xz` is unpacked.

    Raises:
        EngineError: the file is missing from this installation.
    """

    def __init__(self, name: str) -> None:
        content = packaged_model(name)
        plain = lzma.decompress(content) if name.endswith(".xz") else content
        self._net: Any = cv2.dnn.readNetFromONNX(np.frombuffer(plain, np.uint8))

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`(S, S, 3)` uint8 RGB → the output's one row, copied."""
        planes = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
        self._net.setInput(planes)
        return np.array(self._net.forward()[0], np.float32)

"""Hair, skin, clothes: MediaPipe's multiclass selfie segmenter, in LiteRT, from a user's own file.

None ships here: it is `selfie_multiclass_256x256.tflite` (16 MB), which Google publishes. Its input
is a whole picture stretched to 256², RGB 0…1; its output are logits of six classes per pixel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.devices.litert import LiteRTModel
from engines.errors import EngineError
from engines.segmenters.file import SegmenterFile
from engines.weights.file_hash import file_sha256

CLASSES = ("background", "hair", "body skin", "face skin", "clothes", "others")
EXPECTED = "expected MediaPipe's selfie_multiclass_256x256.tflite (docs/faces.md)"


def chosen_segmenter(path: str) -> SegmenterFile:
    """A file as a run names it, opened once.

    Raises:
        EngineError: it is missing, or no network of these classes.
    """
    absolute = Path(path).expanduser().absolute()
    MulticlassSegmenter(_read(absolute), str(absolute))
    return SegmenterFile(str(absolute), file_sha256(absolute))


def open_segmenter(file: SegmenterFile) -> MulticlassSegmenter:
    """The network of a run, for one thread.

    Raises:
        EngineError: on this machine the file is missing, or another one.
    """
    content = _read(path := Path(file.path))
    if (found := file_sha256(path)) != file.sha256:
        raise EngineError(
            f"--segmenter {path}: got a file of sha256 {found[:12]}…; "
            f"this run began with {file.sha256[:12]}…; put the same file on every node"
        )
    return MulticlassSegmenter(content, file.path)


class MulticlassSegmenter:
    """One network; LiteRT's interpreter is one thread's.

    Args:
        content: of a .tflite file.
        name: what errors call it.
    """

    def __init__(self, content: bytes, name: str) -> None:
        try:
            self._model = LiteRTModel(content)
        except (ValueError, RuntimeError) as error:
            raise EngineError(f"--segmenter {name}: got {_first_line(error)}; {EXPECTED}") from None
        shape, dtype = self._model.input_shape, self._model.input_dtype
        outputs = self._model.output_shapes
        fits = len(shape) == 4 and shape[0] == 1 and shape[3] == 3 and dtype == np.float32
        self._output = next((n for n, s in outputs.items() if s[-1:] == (len(CLASSES),)), "")
        if not fits or len(outputs.get(self._output, ())) != 4:
            got = f"an input {shape} of {np.dtype(dtype)} and outputs {list(outputs.values())}"
            raise EngineError(f"--segmenter {name}: got {got}; {EXPECTED}")
        self._size = shape[2], shape[1]

    def shares(self, picture: NDArray[Any]) -> NDArray[np.float32]:
        """`(h, w, 6)` float32 0…1 of each of CLASSES, their sum 1, of a stretched `(H, W, 3)`.

        Args:
            picture: RGB, uint8 or uint16, 0…the dtype's greatest.
        """
        small = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA).astype(np.float32)
        logits = self._model(small[None] / np.float32(np.iinfo(picture.dtype).max))[self._output][0]
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise EngineError(f"--segmenter {path}: cannot be read: {why}; {EXPECTED}") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no TFLite model"])[0].rstrip(".")

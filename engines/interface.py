"""What engines take and give. Values in, values out; arrays are never shared or kept.

Spaces: *frame pixels* are those of the RGB frame a tracker is shown (upright, square pixels, x
right, y down, integer coordinates are pixel centres); *crop pixels* are those of an aligned crop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.lent import Lent
from engines.traits import Traits
from keyframes.au import AUDelta, AUIntensity

RGBFrame = NDArray[np.uint8]
"""`(H, W, 3)` uint8, RGB, full range."""


def _expect(array: NDArray[Any], what: str, shape: tuple[int | None, ...], *dtypes: Any) -> None:
    fits = array.ndim == len(shape) and all(
        n in (None, m) for n, m in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype not in [np.dtype(d) for d in dtypes]:
        wanted = "/".join(np.dtype(d).name for d in dtypes)
        raise EngineError(
            f"{what}: got {array.dtype} {array.shape}; expected {wanted} "
            f"({', '.join('N' if n is None else str(n) for n in shape)})"
        )


@dataclass(frozen=True)
class Face:
    """One face in one frame.

    Attributes:
        box: `(4,)` float32 x0, y0, x1, y1 in frame pixels, the hull of the landmarks.
        score: presence, 0…1.
        landmarks_px: `(68, 2)` float32 iBUG points, frame pixels.
        yaw, pitch, roll: degrees; 0 is frontal, yaw > 0 turns to the viewer's right, pitch > 0
            looks up, roll > 0 tilts clockwise as the viewer sees it.
        mesh_px: `(478, 3)` float32 frame pixels (z scaled by the frame's width), or None.
        blendshapes: `(52,)` float32 0…1 in MediaPipe's order, or None.
        matrix: `(4, 4)` float32 face → camera in cm (y up, −z into the scene), or None.
    """

    box: NDArray[np.float32]
    score: float
    landmarks_px: NDArray[np.float32]
    yaw: float
    pitch: float
    roll: float
    mesh_px: NDArray[np.float32] | None = None
    blendshapes: NDArray[np.float32] | None = None
    matrix: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        _expect(self.box, "face box", (4,), np.float32)
        _expect(self.landmarks_px, "face landmarks", (68, 2), np.float32)


@runtime_checkable
class FaceTracker(Protocol):
    """Finds faces frame by frame; pipeline/faces/track.py links them over time."""

    def track(self, frames: Sequence[RGBFrame]) -> list[list[Face]]:
        """Faces of each frame, best first; an empty list where there is none.

        Frames come in presentation order from one clip. The answer for a frame must not depend on
        where the sequence was cut, beyond the tracker's own documented tile searches.
        """
        ...


@runtime_checkable
class AUEstimator(Protocol):
    """Measures AUs in two steps, so that a whole track can be calibrated to a face at rest.

    `measure` needs pixels and runs per chunk of frames; `neutral` and `intensity` need a whole
    track's features and nothing else (no weights, no pixels), and run once per video.
    """

    @property
    def feature_names(self) -> tuple[str, ...]: ...

    def measure(
        self, frames: Sequence[RGBFrame], faces: Sequence[Sequence[Face]]
    ) -> list[NDArray[np.float32]]:
        """Per frame `(faces, K)` float32 features, K = len(feature_names)."""
        ...

    def neutral(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """`(N, K)` float32 features of one face over time → `(K,)`, the face at rest.

        All NaN where the face was never measured; an estimator with an absolute scale gives zeros.
        """
        ...

    def intensity(
        self, features: NDArray[np.float32], neutral: NDArray[np.float32] | None = None
    ) -> AUIntensity:
        """`(N, K)` float32 features of one face over time → `(N, 12)` intensities, 0…5.

        Args:
            neutral: the same face at rest in other footage, as `neutral` gave it, so that both are
                measured by one scale; without, or all NaN, that of these features.
        """
        ...


@dataclass(frozen=True)
class AlignedCrops:
    """Face crops of one size, each with what an editor may need to know of its face.

    Attributes:
        images: `(N, S, S, 3)` uint8 (8-bit footage) or uint16 (deeper footage), RGB, full range.
        landmarks_px: `(N, 68, 2)` float32, crop pixels.
        frame_index: `(N,)` int64, number of the frame in its clip (per-frame seeds derive from it).
        pose: `(N, 3)` float32 yaw, pitch, roll in degrees as in Face; NaN where it is not known,
            None where none is.
        lent: what is lent to each crop, for editors whose traits say `borrows`; None = nothing.
    """

    images: NDArray[np.uint8] | NDArray[np.uint16]
    landmarks_px: NDArray[np.float32]
    frame_index: NDArray[np.int64]
    pose: NDArray[np.float32] | None = None
    lent: tuple[Lent, ...] | None = None

    def __post_init__(self) -> None:
        size = self.images.shape[1] if self.images.ndim == 4 else -1
        _expect(self.images, "aligned crops", (None, size, size, 3), np.uint8, np.uint16)
        _expect(self.landmarks_px, "crop landmarks", (len(self.images), 68, 2), np.float32)
        _expect(self.frame_index, "crop frame numbers", (len(self.images),), np.int64)
        if self.pose is not None:
            _expect(self.pose, "crop poses", (len(self.images), 3), np.float32)

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class EditedCrops:
    """What an editor gives back; the pipeline pastes `mask · (edited − reference)`.

    Attributes:
        edited: `(N, S, S, 3)`, dtype uint8/uint16 as the crops' or float32 on the crops' scale.
        reference: the same shape and scale: what this editor gives for the *unedited* crop, so that
            its own losses cancel (the crop itself for a lossless editor).
        mask: `(N, S, S)` float32 0…1; 0 = not one sample changes there.
        notes: what a report should tell, e.g. which mask was used; equal notes are counted once.
    """

    edited: NDArray[Any]
    reference: NDArray[Any]
    mask: NDArray[np.float32]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = self.edited.shape
        _expect(self.reference, "reference crops", shape, np.uint8, np.uint16, np.float32)
        _expect(self.mask, "edit mask", shape[:3], np.float32)

    def __len__(self) -> int:
        return len(self.edited)


@runtime_checkable
class FaceEditor(Protocol):
    """Changes faces. Deterministic: the same crops, delta and seed give the same bytes."""

    @property
    def crop_size(self) -> int:
        """Side S of the square crops it works on, pixels."""
        ...

    @property
    def batch_size(self) -> int:
        """Crops per call; the pipeline always fills a batch up to this (padding with repeats)."""
        ...

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops: ...


@runtime_checkable
class StagedEditor(FaceEditor, Protocol):
    """An editor whose `edit` is `finish(run(ready(…)))`: one batch is made ready and another is
    finished in threads of their own, while the networks of a third run in one thread."""

    def ready(self, crops: AlignedCrops, delta: AUDelta) -> Any:
        """What comes before the networks."""
        ...

    def run(self, readied: Any, *, seed: int) -> Any:
        """The networks; called by one thread, in order."""
        ...

    def finish(self, made: Any) -> EditedCrops:
        """What comes after them."""
        ...


@dataclass(frozen=True)
class CPUNeeds:
    """What an engine that wants a GPU takes of a machine without one.

    Attributes:
        memory: bytes of one process that has it loaded and works.
        tflop: work of one edited frame, 10¹² floating-point operations; 0 = not worth a word.
    """

    memory: int
    tflop: float = 0.0


class Cluster(Protocol):
    """The machines a job runs on, as an engine sees them while it gets ready; no Ray in here."""

    @property
    def waits(self) -> bool:
        """Whether the job begins only when all is there that makes it faster."""
        ...

    def say(self, line: str) -> None:
        """Tells the person who runs the job."""
        ...

    def gpu_nodes(self) -> list[str]:
        """Ids of the living nodes that have a GPU, in order."""
        ...

    def this_node(self) -> str:
        """Id of the node this runs on."""
        ...

    def start(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        node: str,
        cpus: float,
        gpus: float,
        **named: Any,
    ) -> Any:
        """Calls a module's function on a node; its result's handle.

        A handle can be an argument of another call, which then gets the result itself. Of a
        generator function, the answer is an iterable of handles, one as each value is ready.

        Args:
            cpus: how many it takes; fewer where the node has fewer.
            gpus: a share of the node's GPUs; 0 where it has none.
        """
        ...

    def results(self, handles: Sequence[Any]) -> list[Any]:
        """What calls gave.

        Raises:
            EngineError: what a call raised, as it was there; one line for a call that was lost.
        """
        ...


class EngineHooks(Protocol):
    """What an engine's class may also have, of every kind; each is optional and light.

    The settings are those of its options that were given; what takes them is static.
    `unavailable`, `weights_digest`, `portable`, `cpu_needs`, `crop_size_for`, `readiness` are asked
    in the driver, before anything runs, and load no network.
    """

    repaints: ClassVar[bool]
    """True of an editor that paints the crop anew: its mean colour and contrast are then held to
    the plate's in the mask's ring. Without: it moves or relights the plate's own pixels."""

    traits: ClassVar[Traits]
    """What is known of it before it is loaded: options, GPU share, cost. Without: a CPU engine
    that may be told its keywords. The registry's line may say it instead, so that a class that
    imports torch is not imported for a command's help."""

    @staticmethod
    def unavailable(**settings: Any) -> str | None:
        """Why it cannot run with these settings, in a clause (weights that are not here), or None.

        Raises:
            EngineError: a setting out of its range.
        """
        ...

    @staticmethod
    def weights_digest(**settings: Any) -> str:
        """Names its weights, so that other weights make other pieces."""
        ...

    @staticmethod
    def portable(**settings: Any) -> dict[str, Any]:
        """The settings as another machine understands them: what this one found by a name that
        means something else tomorrow or there (a hub's newest revision) under a lasting one."""
        ...

    @staticmethod
    def crop_size_for(**settings: Any) -> int:
        """An editor's `crop_size` with these settings; without, 512."""
        ...

    @staticmethod
    def cpu_needs(**settings: Any) -> CPUNeeds:
        """What a process takes where it has no GPU: as many run at once as memory holds."""
        ...

    @staticmethod
    def prepare(cluster: Cluster, **settings: Any) -> Callable[[], None] | None:
        """Called once in the driver, before the first of its actors starts on a GPU.

        Returns:
            What is to be called when the job has ended, if anything.
        """
        ...

    @staticmethod
    def readiness(**settings: Any) -> str:
        """What it needs built before it is fast on this machine: there, to be built in how long,
        or not to be had and why. A dry run tells it; nothing is built, no network is loaded.

        Raises:
            EngineError: it cannot run here as it was asked for.
        """
        ...

    def is_outdated(self) -> bool:
        """Whether one that is made now would run on something faster, which was not there before.

        An actor on a GPU asks between two segments, and then makes a new one.
        """
        ...

    def close(self) -> None:
        """Lets go of its memory: it will not be called again."""
        ...

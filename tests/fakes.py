"""Engines for tests, named as `--editor tests.fakes:Name`: small citizens of the pipeline."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

import numpy as np

from engines.editors.identity import IdentityEditor
from engines.errors import EngineError
from engines.interface import AlignedCrops, Cluster, EditedCrops
from engines.traits import Option, Traits
from engines.weights.file_hash import file_sha256
from keyframes.au import AUDelta


class BatchEditor:
    """Stands where a GPU editor will: fixed batches, every crop inverted, and it counts its calls.

    Refuses a batch that is not full, as a compiled network would.
    """

    crop_size = 128
    batch_size = 4

    @staticmethod
    def crop_size_for() -> int:
        return 128

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        if len(crops) != self.batch_size:
            raise EngineError(f"a batch of {len(crops)}; compiled for {self.batch_size}")
        edited = 255 - crops.images
        mask = np.zeros(crops.images.shape[:3], np.float32)
        mask[:, 32:96, 32:96] = 1.0
        return EditedCrops(edited, crops.images, mask, notes=("inverted",))


class FailingEditor(IdentityEditor):
    """Fails on the clips' frame 7."""

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        if 7 in crops.frame_index:
            raise EngineError("cannot edit frame 7")
        return super().edit(crops, delta, seed=seed)


class KillerEditor(IdentityEditor):
    """Kills its process on frame 7: as often as the file in AUREEL_TEST_KILLS says."""

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        if 7 in crops.frame_index:
            left = Path(os.environ["AUREEL_TEST_KILLS"])
            count = int(left.read_text())
            if count:
                left.write_text(str(count - 1))
                os._exit(9)
        return super().edit(crops, delta, seed=seed)


class HangingEditor(IdentityEditor):
    """As KillerEditor, but hangs in native code with the interpreter's lock held."""

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        if 7 in crops.frame_index:
            left = Path(os.environ["AUREEL_TEST_KILLS"])
            count = int(left.read_text())
            if count:
                left.write_text(str(count - 1))
                ctypes.PyDLL(None).sleep(3600)
        return super().edit(crops, delta, seed=seed)


class SwappingEditor(IdentityEditor):
    """Puts `other.mp4` over `talk.mp4`, beside each other in AUREEL_TEST_KILLS, on frame 7."""

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        other = Path(Path(os.environ["AUREEL_TEST_KILLS"]).read_text()) / "other.mp4"
        if 7 in crops.frame_index and other.exists():
            other.replace(other.with_name("talk.mp4"))
        return super().edit(crops, delta, seed=seed)


class MarkedEditor(IdentityEditor):
    """Writes down every frame it edits, in `marks` beside the file AUREEL_TEST_KILLS names.

    While a file `held` lies there, frames from 50 on (the demo's second group of pictures) wait.
    """

    traits = Traits(seconds_per_edit=5.0)  # so slow that each group of pictures is a segment

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        folder = Path(os.environ["AUREEL_TEST_KILLS"]).parent
        while int(crops.frame_index[-1]) >= 50 and (folder / "held").exists():
            time.sleep(0.1)
        with (folder / "marks").open("a") as marks:
            marks.write("".join(f"{number}\n" for number in crops.frame_index))
        return super().edit(crops, delta, seed=seed)


class TunedEditor(IdentityEditor):
    """From outside, with all an engine may have: options, weights, a share of a GPU.

    It darkens every crop by what its weights file says, and tells where it ran.
    """

    traits = Traits(
        options=(
            Option("weights", Path, "one byte: how dark"),
            Option("darkening", float, "of the darkening", least=0, most=1),
            Option("device", str, "where it runs", choices=("cpu", "cuda")),
        ),
        gpu_share=0.5,
        seconds_per_edit=3.0,
    )

    def __init__(self, weights: str, darkening: float = 1.0, device: str = "cuda") -> None:
        super().__init__(96)
        self.darkening = darkening
        self._dark = int(self.darkening * Path(weights).read_bytes()[0])

    @staticmethod
    def unavailable(weights: str = "", **_: object) -> str | None:
        return None if Path(weights).is_file() else f"no weights file {weights}"

    @staticmethod
    def weights_digest(weights: str, **_: object) -> str:
        return file_sha256(Path(weights))

    @staticmethod
    def crop_size_for(**_: object) -> int:
        return 96

    @staticmethod
    def prepare(cluster: Cluster, darkening: float = 1.0, **_: object) -> None:
        cluster.say(f"made ready for {len(cluster.gpu_nodes())} GPU nodes at darkening {darkening}")

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        same = super().edit(crops, delta, seed=seed)
        darker = np.maximum(same.edited.astype(np.int32) - self._dark, 0).astype(np.uint8)
        seen = os.environ.get("CUDA_VISIBLE_DEVICES") or "none"
        return EditedCrops(darker, same.reference, same.mask, (f"GPUs {seen}",))

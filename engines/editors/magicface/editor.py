"""The editor `magicface`: aligned crops and AU deltas → edited crops, by diffusion."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engines.devices.batches import ShrinkingBatch
from engines.devices.precision import DTYPES, overflow
from engines.devices.torch_device import resolve_device
from engines.devices.transfer import start_download, upload
from engines.editors.magicface import settings as magicface_settings
from engines.editors.magicface.backends.backends import make_networks
from engines.editors.magicface.backends.on_cluster import build_before_actors
from engines.editors.magicface.conditioning.background import Conditioner, to_uint8
from engines.editors.magicface.conditioning.masks import paste_mask, paste_weight
from engines.editors.magicface.folders import locate_weights, native_size, read_config
from engines.editors.magicface.model.networks import Networks
from engines.editors.magicface.model.torch_networks import VAE_SCALE
from engines.editors.magicface.model.vae import to_network, to_pixels
from engines.editors.magicface.sampling.sampler import (
    frame_seeds,
    generators,
    initial_noise,
    make_scheduler,
    sample,
)
from engines.editors.magicface.speed.speed import resolve_dtype, running
from engines.errors import EngineError, EngineUnavailableError
from engines.interface import AlignedCrops, Cluster, EditedCrops
from keyframes.au import AU_ORDER, AUDelta


@dataclass(frozen=True)
class _Frames:
    """Rows of a batch: `images` `(F, S, S, 3)` float32 0…1, and the rest per frame."""

    images: NDArray[np.float32]
    crops: NDArray[np.uint8]
    landmarks_px: NDArray[np.float32]
    au: NDArray[np.float32]
    frame_index: NDArray[np.int64]


@dataclass(frozen=True)
class _Edit:
    """`(F, S, S, 3)` float32 0…1, edited and round trip, and how each frame was masked."""

    edited: NDArray[np.float32]
    reference: NDArray[np.float32]
    notes: tuple[str, ...]


class MagicFaceEditor:
    """Changes expressions by MagicFace; a `FaceEditor`.

    The reference is the VAE round trip of the crop, so that the VAE's own losses cancel where the
    residual is pasted. Crops whose delta is 0 come back as they are, under an empty mask: a zero
    vector is the model's null condition and does not reproduce its input. Near 0 the mask fades in
    with the delta's length, so that an edit does not pop where its curve begins.

    A frame's bytes depend on its crop, delta and seed (and its number, with `per-frame` noise), not
    on its place in a batch or on its batch mates.

    Args:
        quality: `draft`, `standard` or `final`; see traits.QUALITIES.
        networks: made elsewhere (tests, benchmarks); None loads `weights`.
        settings: keyword arguments as `MagicFaceSettings` has them.
    Attributes:
        settings: as resolved.
        startup_log: what was loaded, compiled and compared while the editor was made, line by line.
    Raises:
        EngineError: settings out of range, weights that do not fit, a backend that is not here.
    """

    repaints = True

    def __init__(
        self, quality: str = "standard", *, networks: Networks | None = None, **settings: Any
    ) -> None:
        self.settings = magicface_settings.resolved(quality, **settings)
        self._device = resolve_device(self.settings.device)
        self._dtype_name = resolve_dtype(self.settings.dtype, self._device)
        self._dtype = DTYPES[self._dtype_name]
        self._conditioner = Conditioner(self.settings.mask)
        self.startup_log: list[str] = []
        folders = locate_weights(self.settings.weights, self.settings.base)
        self._schedule = read_config(folders.scheduler, "scheduler_config.json")
        make_scheduler(self.settings.scheduler, self._schedule, self.settings.steps)
        if networks is None:
            networks, _ = make_networks(
                folders,
                backend=self.settings.backend,
                dtype=self._dtype_name,
                frames=self.settings.batch,
                guidance=self.settings.guidance > 1,
                image_size=self.settings.size,
                device=str(self._device),
                cuda_graphs=self.settings.cuda_graphs,
                say=self.startup_log.append,
            )
        self._networks = networks
        self._masks = ThreadPoolExecutor(1, thread_name_prefix="masks")
        self._batch = ShrinkingBatch(self.settings.batch, networks.forget)

    @staticmethod
    def unavailable(quality: str = "standard", **settings: Any) -> str | None:
        """Why it cannot run with these settings: weights that are not here."""
        asked = magicface_settings.resolved(quality, **settings)
        try:
            locate_weights(asked.weights, asked.base)
        except EngineUnavailableError as error:
            return str(error)
        return None

    @staticmethod
    def weights_digest(quality: str = "standard", **settings: Any) -> str:
        """What edited pictures depend on besides their inputs; loads no network."""
        return magicface_settings.fingerprint(magicface_settings.resolved(quality, **settings))

    @staticmethod
    def crop_size_for(quality: str = "standard", **settings: Any) -> int:
        """Side of the crops these weights were trained on; loads no network."""
        asked = magicface_settings.resolved(quality, **settings)
        return asked.size or native_size(locate_weights(asked.weights, asked.base))

    @staticmethod
    def prepare(cluster: Cluster, quality: str = "standard", **settings: Any) -> None:
        """Builds the TensorRT plans that the actors will look for, once per GPU type."""
        build_before_actors(magicface_settings.resolved(quality, **settings), cluster)

    @property
    def crop_size(self) -> int:
        return self._networks.image_size

    @property
    def batch_size(self) -> int:
        return self.settings.batch

    @property
    def description(self) -> str:
        """Settings and machine, one line for the report."""
        return f"{self.settings.describe()}; {self._networks.runs_on}"

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        """As the Protocol says; float32 results on the crops' scale."""
        self._check(crops, delta, seed)
        scale = float(np.iinfo(crops.images.dtype).max)
        edited = crops.images.astype(np.float32)
        reference = edited.copy()
        mask = np.zeros(crops.images.shape[:3], np.float32)
        notes: set[str] = set()

        def work(rows: NDArray[np.intp]) -> _Edit:
            frames = _Frames(
                crops.images[rows].astype(np.float32) / scale,
                to_uint8(crops.images[rows]),
                crops.landmarks_px[rows],
                delta.values[rows],
                crops.frame_index[rows],
            )
            with running(self._device):
                return self._edit(frames, seed)

        weights = paste_weight(delta.values)
        pasted = [  # made beside the networks' work: OpenCV lets go of Python while it draws
            (row, self._masks.submit(paste_mask, crops.landmarks_px[row], self.crop_size))
            for row in np.flatnonzero(weights)
        ]
        for rows, made in self._batch.run(np.flatnonzero(weights), work):
            edited[rows] = made.edited[: len(rows)] * scale
            reference[rows] = made.reference[: len(rows)] * scale
            notes.update(made.notes[: len(rows)], [self.description])
        for row, face in pasted:
            mask[row] = weights[row] * face.result()
        if self._batch.note is not None:
            notes.add(self._batch.note)
        return EditedCrops(edited, reference, mask, tuple(sorted(notes)))

    def _check(self, crops: AlignedCrops, delta: AUDelta, seed: int) -> None:
        size = crops.images.shape[1]
        if size != self.crop_size:
            raise EngineError(
                f"editor 'magicface': got crops of {size} px; expected {self.crop_size} px"
            )
        if len(delta) != len(crops):
            raise EngineError(
                f"editor 'magicface': got {len(delta)} deltas for {len(crops)} crops; "
                "expected equal"
            )
        if delta.lids.any():
            raise EngineError(
                "editor 'magicface': got AU43 or AU45 (shut eyes); expected AUs "
                f"{', '.join(str(au) for au in AU_ORDER)}, which are all that it was trained on"
            )
        if not 0 <= seed < 2**63:
            raise EngineError(f"editor 'magicface': got seed {seed}; expected 0…2⁶³ − 1")

    def _edit(self, frames: _Frames, seed: int) -> _Edit:
        """One group of frames of the fixed size."""
        codec = self._networks.codec
        source = codec.encode(self._to_network(frames.images))
        reference = start_download(_to_images(codec.decode(source)))
        id_kv = self._networks.id_encoder(source)
        # On a GPU the lines above run on while this processor looks for people.
        backgrounds, notes = self._backgrounds(frames)
        background = codec.encode(self._to_network(backgrounds))
        latents = self._sample(frames, background, id_kv, seed)
        decoded = codec.decode((latents / codec.scaling_factor).to(self._dtype))
        edited = start_download(_to_images(decoded))
        return _Edit(self._finite(edited()), self._finite(reference()), notes)

    def _finite(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        if not np.isfinite(images).all():
            raise overflow("editor 'magicface': the VAE gave non-finite pixels", self._dtype)
        return images

    def _to_network(self, images: NDArray[np.float32]) -> Tensor:
        """`(F, S, S, 3)` 0…1 → `(F, 3, S, S)` −1…1 on the device, in the networks' dtype."""
        planes = upload(images, self._device).permute(0, 3, 1, 2).contiguous()
        return to_network(planes).to(self._dtype)

    def _backgrounds(self, frames: _Frames) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        pairs = zip(frames.crops, frames.landmarks_px, strict=True)
        made = [self._conditioner.background(crop, landmarks) for crop, landmarks in pairs]
        pictures = np.stack([picture for picture, _ in made])
        return (pictures / 255).astype(np.float32), tuple(note for _, note in made)

    def _sample(self, frames: _Frames, background: Tensor, id_kv: Any, seed: int) -> Tensor:
        draws = generators(frame_seeds(seed, self.settings.noise, frames.frame_index))
        side = self.crop_size // VAE_SCALE
        return sample(
            self._networks.denoiser,
            make_scheduler(self.settings.scheduler, self._schedule, self.settings.steps),
            upload(initial_noise(draws, side, side).numpy(), self._device),
            background=background,
            au=upload(frames.au, self._device).to(self._dtype),
            id_kv=id_kv,
            guidance=self.settings.guidance,
            step_noise=draws,
        )


def _to_images(decoded: Tensor) -> Tensor:
    """`(F, 3, S, S)` about −1…1 → `(F, S, S, 3)` float32 0…1."""
    return to_pixels(decoded.float()).permute(0, 2, 3, 1)

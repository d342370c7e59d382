"""The editor `magicface`: aligned crops and AU deltas → edited crops, by diffusion."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.devices.batches import ShrinkingBatch
from engines.devices.precision import DTYPES, overflow
from engines.devices.torch_device import release, resolve_device
from engines.devices.transfer import start_download, upload
from engines.editors.magicface import settings as magicface_settings
from engines.editors.magicface.backends.backends import make_networks
from engines.editors.magicface.backends.cluster.before_actors import build_before_actors
from engines.editors.magicface.backends.cluster.weights import resolve_on_nodes
from engines.editors.magicface.backends.readiness import plans_here
from engines.editors.magicface.conditioning.background import Conditioner, to_uint8
from engines.editors.magicface.conditioning.masks import paste_mask, paste_weight
from engines.editors.magicface.folders import (
    locate_weights,
    named_weights,
    native_size,
    read_config,
)
from engines.editors.magicface.model.networks import Networks
from engines.editors.magicface.model.torch_networks import VAE_SCALE
from engines.editors.magicface.model.vae import to_network, to_pixels
from engines.editors.magicface.sampling.sampler import (
    Shortcuts,
    frame_seeds,
    generators,
    initial_noise,
    make_scheduler,
    sample,
)
from engines.editors.magicface.speed.cpu_needs import cpu_needs
from engines.editors.magicface.speed.speed import resolve_dtype, running
from engines.editors.magicface.stages import Frames, Launched, Readied, Run
from engines.errors import EngineError, EngineUnavailableError
from engines.interface import AlignedCrops, Cluster, CPUNeeds, EditedCrops
from keyframes.au import AU_ORDER, AUDelta

DRAWERS = 4
"""Threads that draw masks and look for people; at 25 ms per frame a GPU outruns a single one."""


class MagicFaceEditor:
    """Changes expressions by MagicFace; a `FaceEditor`.

    The reference is the VAE round trip of the crop, so that the VAE's own losses cancel where the
    residual is pasted. Crops whose delta is 0 come back as they are, under an empty mask: a zero
    vector is the model's null condition and does not reproduce its input. Near 0 the mask fades in
    with the delta's length, so that an edit does not pop where its curve begins.

    A frame's bytes depend on its crop, delta and seed (and its number, with `per-frame` noise), not
    on its place in a batch or on its batch mates.

    Args:
        quality: `draft`, `standard`, `final` or `distilled`; see traits.QUALITIES.
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
                finishes=True,
                cached=self.settings.cache_steps > 1,
            )
        self._networks = networks
        self._drawing = ThreadPoolExecutor(DRAWERS, thread_name_prefix="drawing")
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
    def portable(**settings: Any) -> dict[str, Any]:
        """Weights of a hub with the commit that was found here."""
        said = {key: value for key, value in settings.items() if value is not None}
        named = named_weights(said["weights"], said.get("base"))
        return said | {"weights": named.own} | ({"base": named.base} if named.base else {})

    @staticmethod
    def crop_size_for(quality: str = "standard", **settings: Any) -> int:
        """Side of the crops these weights were trained on; loads no network."""
        asked = magicface_settings.resolved(quality, **settings)
        return asked.size or native_size(locate_weights(asked.weights, asked.base))

    @staticmethod
    def cpu_needs(quality: str = "standard", **settings: Any) -> CPUNeeds:
        """Memory and work without a GPU, estimated; loads no network."""
        asked = magicface_settings.resolved(quality, **settings)
        return cpu_needs(asked, locate_weights(asked.weights, asked.base))

    @staticmethod
    def prepare(
        cluster: Cluster, quality: str = "standard", **settings: Any
    ) -> Callable[[], None] | None:
        """Has every node find its weights, and TensorRT's plans built, once per GPU type."""
        asked = magicface_settings.resolved(quality, **settings)
        resolve_on_nodes(named_weights(asked.weights, asked.base), cluster)
        return build_before_actors(asked, cluster)

    @staticmethod
    def readiness(quality: str = "standard", **settings: Any) -> str:
        """Which TensorRT plans a run on this machine finds, builds or goes without."""
        return plans_here(magicface_settings.resolved(quality, **settings))

    def is_outdated(self) -> bool:
        """Whether TensorRT plans have come that were missing when this was made."""
        return self._networks.is_outdated()

    def close(self) -> None:
        """Lets go of the networks: two sets of them may not fit a GPU."""
        self._drawing.shutdown()
        self._networks.forget()
        del self._networks, self._batch
        release(self._device)

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
        return self.finish(self.run(self.ready(crops, delta), seed=seed))

    def ready(self, crops: AlignedCrops, delta: AUDelta) -> Readied:
        """What the networks are shown, and masks begun: work of this machine's cores alone."""
        self._check(crops, delta)
        weights = paste_weight(delta.values)
        rows = np.flatnonzero(weights)
        masks = tuple(  # OpenCV lets go of Python while it draws
            self._drawing.submit(paste_mask, crops.landmarks_px[row], self.crop_size)
            for row in rows
        )
        images = crops.images[rows]
        small = to_uint8(images)
        made = list(
            self._drawing.map(self._conditioner.background, small, crops.landmarks_px[rows])
        )
        backgrounds = np.array([picture for picture, _ in made], np.uint8).reshape(small.shape)
        frames = Frames(images, backgrounds, delta.values[rows], crops.frame_index[rows])
        return Readied(crops, weights, rows, frames, tuple(note for _, note in made), masks)

    def run(self, readied: Readied, *, seed: int) -> Run:
        """The networks; on a GPU it does not wait for the last pictures to arrive.

        Raises:
            EngineError: a seed out of range; latents that became non-finite.
        """
        if not 0 <= seed < 2**63:
            raise EngineError(f"editor 'magicface': got seed {seed}; expected 0…2⁶³ − 1")

        def work(rows: NDArray[np.intp]) -> Launched:
            with running(self._device):
                return self._edit(readied.frames.at(rows), seed)

        return Run(readied, self._batch.run(np.arange(len(readied.rows)), work))

    def finish(self, made: Run) -> EditedCrops:
        """Waits for the pictures, and puts them and their masks in the crops' order."""
        readied, images = made.readied, made.readied.crops.images
        scale = np.float32(np.iinfo(images.dtype).max)
        edited = np.empty(images.shape, np.float32)
        reference = np.empty_like(edited)
        mask = np.zeros(images.shape[:3], np.float32)
        notes = set(readied.notes)
        as_they_are = np.setdiff1d(np.arange(len(images)), readied.rows)
        edited[as_they_are] = reference[as_they_are] = images[as_they_are]
        for group, pictures in made.groups:
            edits, references = self._finite(pictures.edited()), self._finite(pictures.reference())
            for place, row in enumerate(readied.rows[group]):
                np.multiply(edits[place], scale, out=edited[row])
                np.multiply(references[place], scale, out=reference[row])
        for row, face in zip(readied.rows, readied.masks, strict=True):
            np.multiply(face.result(), readied.weights[row], out=mask[row])
        if made.groups:
            notes.add(self.description)
        if self._batch.note is not None:
            notes.add(self._batch.note)
        return EditedCrops(edited, reference, mask, tuple(sorted(notes)))

    def _check(self, crops: AlignedCrops, delta: AUDelta) -> None:
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

    def _edit(self, frames: Frames, seed: int) -> Launched:
        """One group of frames of the fixed size."""
        codec = self._networks.codec
        source = codec.encode(self._to_network(frames.images))
        reference = self._from_device(_to_images(codec.decode(source)))
        id_kv = self._networks.id_encoder(source)
        background = codec.encode(self._to_network(frames.backgrounds))
        latents = self._sample(frames, source, background, id_kv, seed)
        decoded = codec.decode((latents / codec.scaling_factor).to(self._dtype))
        return Launched(self._from_device(_to_images(decoded)), reference)

    def _finite(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        if not np.isfinite(images).all():
            raise overflow("editor 'magicface': the VAE gave non-finite pixels", self._dtype)
        return images

    def _to_device(self, array: NDArray[Any]) -> Tensor:
        return upload(array, self._device)

    def _from_device(self, images: Tensor) -> Callable[[], NDArray[np.float32]]:
        return start_download(images)

    def _to_network(self, images: NDArray[Any]) -> Tensor:
        """`(F, S, S, 3)` full-range integers → `(F, 3, S, S)` −1…1 on the device, in the networks'
        dtype: fewer bytes to carry, and nothing to convert on the host.

        Divided by a tensor of the device, since CUDA multiplies by a number's rounded reciprocal.
        """
        planes = self._to_device(images).permute(0, 3, 1, 2).to(torch.float32).contiguous()
        white = torch.tensor(np.iinfo(images.dtype).max, dtype=torch.float32, device=planes.device)
        return to_network(planes / white).to(self._dtype)

    def _sample(
        self, frames: Frames, source: Tensor, background: Tensor, id_kv: Any, seed: int
    ) -> Tensor:
        draws = generators(frame_seeds(seed, self.settings.noise, frames.frame_index))
        side = self.crop_size // VAE_SCALE
        return sample(
            self._networks.denoiser,
            make_scheduler(self.settings.scheduler, self._schedule, self.settings.steps),
            self._to_device(initial_noise(draws, side, side).numpy()),
            background=background,
            au=self._to_device(frames.au).to(self._dtype),
            id_kv=id_kv,
            guidance=self.settings.guidance,
            step_noise=draws,
            shortcuts=self._shortcuts(source),
        )

    def _shortcuts(self, source: Tensor) -> Shortcuts:
        asked = self.settings
        return Shortcuts(
            self._networks.cached if asked.cache_steps > 1 else None,
            asked.cache_steps,
            asked.guidance_steps,
            source * self._networks.codec.scaling_factor if asked.init == "source" else None,
            asked.strength,
        )


def _to_images(decoded: Tensor) -> Tensor:
    """`(F, 3, S, S)` about −1…1 → `(F, S, S, 3)` float32 0…1."""
    return to_pixels(decoded.float()).permute(0, 2, 3, 1)

"""Where training begins: MagicFace's weights, Stable Diffusion 1.5, or small random networks."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from engines.editors.magicface import checkpoint
from engines.editors.magicface.bench.weights import Size, write_weights
from engines.editors.magicface.folders import (
    BASE_FOLDERS,
    BASE_HUB_ID,
    WeightFolders,
    find_folders,
    locate_weights,
    read_config,
)
from engines.editors.magicface.training.network.au_encoders import AU_LAYER, denoiser_from
from engines.editors.magicface.training.network.trainee import OFFICIAL_AU_LAYER, Trainee
from engines.editors.magicface.training.objectives.loss import signal_shares
from engines.errors import EngineUnavailableError
from engines.weights.hub import download_hub_folder

SD15 = "sd15"
TINY = "tiny"
TINY_SIZE = Size((32, 32, 64, 64), 2, 8, (16, 16, 32, 32), 4, 1, 8, 16)
"""64-pixel crops, 8² latents: it shows that everything runs, and learns next to nothing."""


@dataclass(frozen=True)
class Start:
    """Folders of a complete set to begin from.

    Attributes:
        sd_unet: SD 1.5's UNet, from which both begin; None where MagicFace's own are there.
        folders: of the set; id_encoder and denoiser mean nothing where `sd_unet` is given.
    """

    folders: WeightFolders
    sd_unet: Path | None = None

    def signal_shares(self) -> Tensor:
        """ᾱ of this set's schedule, `(1000,)`."""
        return signal_shares(read_config(self.folders.scheduler, "scheduler_config.json"))

    def trainee(self, au_encoder: str) -> Trainee:
        """Both UNets on the CPU in fp32, every parameter open.

        Raises:
            EngineError: files that do not fit.
        """
        unets = load_unets(
            self.sd_unet or self.folders.id_encoder,
            self.sd_unet or self.folders.denoiser,
            au_encoder,
        )
        return Trainee(*unets, checkpoint.load_prompt(self.folders))


def load_unets(
    id_folder: Path, denoiser_folder: Path, au_encoder: str
) -> tuple[UNet2DConditionModel, UNet2DConditionModel]:
    """Both UNets of two folders in the official layout (or SD 1.5's `unet`), strictly, in fp32."""
    tensors = {
        name.replace(OFFICIAL_AU_LAYER, AU_LAYER, 1): tensor
        for name, tensor in checkpoint.read_tensors(denoiser_folder).items()
    }
    config = read_config(denoiser_folder)
    denoiser = denoiser_from(config, tensors, au_encoder, denoiser_folder)
    return checkpoint.load_id_unet(id_folder).requires_grad_(True), denoiser


def find_start(init: str, base: str | None, folder: Path) -> Start:
    """What `--init` names.

    Args:
        init: `tiny`, `sd15` (downloaded where it is not here), or MagicFace's weights as the
            editor takes them: a folder, `hub`, a hub id.
        base: folder of SD 1.5's parts (with `unet` for `sd15`); None = beside the weights, the hub.
        folder: of the run; a tiny set is written here.
    Raises:
        EngineUnavailableError: not here; says what is missing.
    """
    if init == TINY:
        return Start(find_folders(_tiny_set(folder / "tiny")))
    if init != SD15:
        return Start(locate_weights(init, base))
    parts = Path(base).expanduser() if base else download_hub_folder(BASE_HUB_ID, (*_SD15_PARTS,))
    absent = [name for name in _SD15_PARTS if not (parts / name).is_dir()]
    if absent:
        raise EngineUnavailableError(
            f"training: SD 1.5 in {parts}: no {', '.join(absent)}; expected "
            f"{', '.join(_SD15_PARTS)}"
        )
    rest = (parts / name for name in BASE_FOLDERS)
    return Start(WeightFolders(parts / "unet", parts / "unet", *rest), parts / "unet")


_SD15_PARTS = ("unet", *BASE_FOLDERS)


def _tiny_set(folder: Path) -> Path:
    if not (folder / "scheduler").is_dir():  # written last: what is begun is begun anew
        shutil.rmtree(folder, ignore_errors=True)
        write_weights(folder, TINY_SIZE)
    return folder

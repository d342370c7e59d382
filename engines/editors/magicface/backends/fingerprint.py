"""Which weights these are: one hash per component, over every file it is made from."""

from __future__ import annotations

import hashlib

from engines.editors.magicface.folders import WeightFolders, content_hashes

_PROMPT = ("text_encoder", "tokenizer")
PARTS: dict[str, tuple[str, ...]] = {
    "denoiser": ("denoising_unet", *_PROMPT),
    "id_encoder": ("ID_enc", "denoising_unet", *_PROMPT),
    "vae_encoder": ("vae",),
    "vae_decoder": ("vae",),
}
"""Component → weight folders that shape it. The prompt is baked into both UNets, and the ID encoder
ends in the denoiser's own projections."""


def weights_sha256(component: str, folders: WeightFolders) -> str:
    """One hash over a component's files; each file's own is remembered between calls.

    Raises:
        EngineUnavailableError: a folder without weights.
    """
    parts = PARTS[component]
    listed = [
        f"{name} {sha256}\n"
        for name, sha256 in sorted(content_hashes(folders).items())
        if name.partition("/")[0] in parts
    ]
    return hashlib.sha256("".join(listed).encode()).hexdigest()

"""Names of the four exported networks, of what goes in and out, and of their files in the store.

Imports nothing heavy: keys are computed from these without torch.
"""

BLOCKS = 16
"""Transformer blocks of an SD-1.5 UNet."""

COMPONENTS = ("denoiser", "id_encoder", "vae_encoder", "vae_decoder")
"""The four networks an edited frame passes through, as they are exported and built."""

KV_NAMES = tuple(f"id_{what}_{i:02d}" for i in range(BLOCKS) for what in ("key", "value"))
"""`id_key_00, id_value_00, … id_value_15`, in execution order."""

INPUTS: dict[str, tuple[str, ...]] = {
    "denoiser": ("latents", "background", "timestep", "au", *KV_NAMES),
    "id_encoder": ("source_latents",),
    "vae_encoder": ("images",),
    "vae_decoder": ("latents",),
}
OUTPUTS: dict[str, tuple[str, ...]] = {
    "denoiser": ("eps",),
    "id_encoder": KV_NAMES,
    "vae_encoder": ("latents",),
    "vae_decoder": ("images",),
}

ORDER = ("vae_encoder", "vae_decoder", "id_encoder", "denoiser")
"""Smallest first: what is wrong shows before the long builds begin."""

GRAPH_FILE = "model.onnx"
SAMPLE_FILE = "sample.safetensors"
"""Inputs of one frame and what torch in fp32 gives for them: the golden comparison of a graph or an
engine, also where no torch network is loaded."""
PLAN_FILE = "engine.plan"

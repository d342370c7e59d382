"""Names of the four exported networks and of what goes in and out.

Imports nothing heavy: keys are computed from these without torch.
"""

from engines.trt.network import NetworkPorts

RECIPE_VERSION = 1
"""Raised by hand whenever the code that shapes the exported graphs comes to mean something else:
graphs and plans stored before are then no longer found (test_recipe.py watches that code)."""

BLOCKS = 16
"""Transformer blocks of an SD-1.5 UNet."""

KV_NAMES = tuple(f"id_{what}_{i:02d}" for i in range(BLOCKS) for what in ("key", "value"))
"""`id_key_00, id_value_00, … id_value_15`, in execution order."""

PORTS = {
    ports.name: ports
    for ports in (
        NetworkPorts("vae_encoder", ("images",), ("latents",)),
        NetworkPorts("vae_decoder", ("latents",), ("images",)),
        NetworkPorts("id_encoder", ("source_latents",), KV_NAMES),
        NetworkPorts(
            "denoiser",
            ("latents", "background", "timestep", "au", *KV_NAMES),
            ("eps",),
            variadic_from=4,
            steady=frozenset(KV_NAMES),
        ),
    )
}
COMPONENTS = tuple(PORTS)
"""The networks an edited frame passes through, in the order they are exported and built: smallest
first, so that what is wrong shows before the long builds begin."""

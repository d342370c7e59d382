"""Sessions as the Protocols of the model: the editor cannot tell what runs underneath."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from engines.editors.magicface.backends.ports import KV_NAMES, PORTS
from engines.editors.magicface.model.networks import IDKeyValues, Networks
from engines.editors.magicface.model.vae import TorchCodec
from engines.trt.network import Session


def flatten_kv(id_kv: IDKeyValues) -> tuple[Tensor, ...]:
    """16 pairs → 32 tensors in the order of `KV_NAMES`."""
    return tuple(tensor for pair in id_kv for tensor in pair)


def pair_kv(tensors: tuple[Tensor, ...]) -> IDKeyValues:
    """32 tensors in the order of `KV_NAMES` → 16 pairs."""
    return tuple(zip(tensors[::2], tensors[1::2], strict=True))


class SessionIDEncoder:
    """An `IDEncoder`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, source_latents: Tensor, /) -> IDKeyValues:
        outputs = self._session({"source_latents": source_latents})
        return pair_kv(tuple(outputs[name] for name in KV_NAMES))


class SessionDenoiser:
    """A `Denoiser`. The session repeats the identity for the guidance halves, in its own memory."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(
        self,
        latents: Tensor,
        background: Tensor,
        timestep: Tensor,
        au: Tensor,
        id_kv: IDKeyValues,
        /,
    ) -> Tensor:
        values = (latents, background, timestep, au, *flatten_kv(id_kv))
        return self._session(dict(zip(PORTS["denoiser"].inputs, values, strict=True)))["eps"]


def one_to_one(component: str, session: Session) -> Callable[[Tensor], Tensor]:
    """A session of one input and one output as a function."""
    (given,), (made,) = PORTS[component].inputs, PORTS[component].outputs
    return lambda tensor: session({given: tensor})[made]


def session_networks(
    sessions: Mapping[str, Session],
    *,
    scaling_factor: float,
    image_size: int,
    runs_on: str,
    forget: Callable[[], None] = lambda: None,
) -> Networks:
    """All four sessions, by component, as the editor sees them."""
    halves = {name: one_to_one(name, sessions[name]) for name in ("vae_encoder", "vae_decoder")}
    return Networks(
        SessionIDEncoder(sessions["id_encoder"]),
        SessionDenoiser(sessions["denoiser"]),
        TorchCodec(halves["vae_encoder"], halves["vae_decoder"], scaling_factor),
        image_size,
        runs_on,
        forget,
    )

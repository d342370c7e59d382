"""MagicFace's one idea, as attention processors for a stock UNet.

In every transformer block the image's tokens also attend to the ID encoder's tokens:
softmax(q_x · [k_x; k_id]) · [v_x; v_id], with k_id = to_k(norm1(feature)) of the *denoiser*. The
official code computes the same from 2N queries and throws half of the rows away.

Source: MagicFace (commit bcaca61), BasicTransformerBlock of the denoising UNet.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from engines.editors.magicface.model.networks import IDKeyValues


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """`(B, N, heads·d)` → `(B, heads, N, d)`, a view."""
    return tokens.unflatten(2, (heads, -1)).transpose(1, 2)


def _attend(attn: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    mixed = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
    return attn.to_out[0](mixed)


def _with_identity(own: Tensor, identity: Tensor) -> Tensor:
    """Append `(F, heads, N, d)` tokens to `(B, heads, N, d)`, shared by the guidance halves."""
    frames = identity.shape[0]
    if own.shape[0] == frames:
        return torch.cat([own, identity], dim=2)
    halves = own.unflatten(0, (-1, frames))
    shared = identity.unsqueeze(0).expand(halves.shape[0], -1, -1, -1, -1)
    return torch.cat([halves, shared], dim=3).flatten(0, 1)


class IDSelfAttention:
    """Self-attention of block `index`, which also looks at that block's ID keys and values."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,  # noqa: ARG002  diffusers passes it
        attention_mask: Tensor | None = None,  # noqa: ARG002  diffusers passes it
        id_kv: IDKeyValues = (),
    ) -> Tensor:
        """Attend from `(B, N, C)` normed image tokens; `id_kv` as the Denoiser's."""
        query = split_heads(attn.to_q(hidden_states), attn.heads)
        key = split_heads(attn.to_k(hidden_states), attn.heads)
        value = split_heads(attn.to_v(hidden_states), attn.heads)
        if id_kv:
            id_key, id_value = id_kv[self.index]
            key, value = _with_identity(key, id_key), _with_identity(value, id_value)
        return _attend(attn, query, key, value)


class PromptCrossAttention(nn.Module):
    """Cross-attention to a prompt that never changes: its keys and values are constants.

    Attributes:
        key, value: `(1, heads, 77, d)` buffers, which follow the network's device and dtype.
    """

    key: Tensor
    value: Tensor

    def __init__(self, attn: Any, prompt_embeds: Tensor) -> None:
        """Compute the constants from `(1, 77, C)` embeddings with `attn`'s own projections."""
        super().__init__()
        with torch.no_grad():
            key, value = attn.to_k(prompt_embeds), attn.to_v(prompt_embeds)
        self.register_buffer("key", split_heads(key, attn.heads).contiguous(), persistent=False)
        self.register_buffer("value", split_heads(value, attn.heads).contiguous(), persistent=False)

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,  # noqa: ARG002  the constants replace it
        attention_mask: Tensor | None = None,  # noqa: ARG002  diffusers passes it
        id_kv: IDKeyValues = (),  # noqa: ARG002  every processor of the UNet is handed it
    ) -> Tensor:
        """Attend from `(B, N, C)` normed image tokens."""
        batch = hidden_states.shape[0]
        query = split_heads(attn.to_q(hidden_states), attn.heads)
        key = self.key.expand(batch, -1, -1, -1)
        value = self.value.expand(batch, -1, -1, -1)
        return _attend(attn, query, key, value)


class LivePrompt(nn.Module):
    """Cross-attention to a prompt that never changes, by projections that still may: for training.

    Attributes:
        prompt: `(1, 77, C)` buffer.
    """

    prompt: Tensor

    def __init__(self, prompt_embeds: Tensor) -> None:
        super().__init__()
        self.register_buffer("prompt", prompt_embeds, persistent=False)

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,  # noqa: ARG002  the buffer replaces it
        attention_mask: Tensor | None = None,  # noqa: ARG002  diffusers passes it
        id_kv: IDKeyValues = (),  # noqa: ARG002  every processor of the UNet is handed it
    ) -> Tensor:
        """Attend from `(B, N, C)` normed image tokens."""
        query = split_heads(attn.to_q(hidden_states), attn.heads)
        key = split_heads(attn.to_k(self.prompt), attn.heads)
        value = split_heads(attn.to_v(self.prompt), attn.heads)
        shape = (len(hidden_states), -1, -1, -1)
        return _attend(attn, query, key.expand(shape), value.expand(shape))

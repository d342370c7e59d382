"""Rows of a batch, repeated."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


def repeat_rows(tensors: Mapping[str, Tensor], rows: int) -> dict[str, Tensor]:
    """Inputs or outputs of one row at a batch of `rows` equal ones; scalars stay."""
    return {
        name: tensor.repeat(rows, *([1] * (tensor.ndim - 1))) if tensor.ndim else tensor
        for name, tensor in tensors.items()
    }


def repeated_to(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`(F, …)` rows in order, once more until there are as many as `shape` has; a view if none."""
    if not tensor.ndim or tensor.shape[0] == shape[0]:
        return tensor
    return tensor.repeat(shape[0] // tensor.shape[0], *([1] * (tensor.ndim - 1)))

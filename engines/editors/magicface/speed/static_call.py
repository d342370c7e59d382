"""A network with its inputs at fixed addresses, so that a CUDA graph of it can be replayed.

One graph per set of shapes. An input tensor that is the very one of the call before is not copied
again: the ID keys and values (46 MB per frame in half precision) go in once per batch of frames,
not once per step. Callers therefore never write into a tensor they have passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

Tree = Any
"""A tensor, or nested tuples of tensors."""
Capture = Callable[[Callable[[], Tree]], Callable[[], Tree]]
"""Takes a function that runs the network on the fixed inputs; gives one that replays it."""

WARM_UPS = 3


def tensors_of(tree: Tree) -> list[Tensor]:
    """The tensors of nested tuples, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    return [tensor for branch in tree for tensor in tensors_of(branch)]


def map_tensors(tree: Tree, change: Callable[[Tensor], Tensor]) -> Tree:
    """The same nested tuples with every tensor changed."""
    if isinstance(tree, Tensor):
        return change(tree)
    return tuple(map_tensors(branch, change) for branch in tree)


class CudaCapture:
    """A `Capture` that keeps the working memory of all its graphs in one pool.

    Sharing is safe because graphs are replayed one after the other and their outputs cloned at
    once; fixed inputs lie outside the pool.
    """

    def __init__(self, new_pool: Callable[[], Any] = torch.cuda.graph_pool_handle) -> None:
        self._new_pool = new_pool
        self.start_pool()

    def start_pool(self) -> None:
        """Take a new pool from now on: one in which a capture ran out of memory may stay spoilt."""
        self.pool = self._new_pool()

    def __call__(self, run: Callable[[], Tree]) -> Callable[[], Tree]:
        return capture_cuda(run, pool=self.pool)


@contextmanager
def out_of_memory_as_itself() -> Iterator[None]:
    """Memory that runs out during a capture also spoils the capture; the first error counts."""
    try:
        yield
    except RuntimeError as error:
        first = error.__context__
        if isinstance(first, torch.OutOfMemoryError):
            raise torch.OutOfMemoryError(str(first)) from None
        raise


def capture_cuda(run: Callable[[], Tree], pool: Any = None) -> Callable[[], Tree]:
    """Warm up on a side stream, capture one run as a CUDA graph, and replay that."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UPS):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    # thread_local: another thread waits for the last batch's pictures; that must not end a capture
    mode = "thread_local"
    with (
        out_of_memory_as_itself(),
        torch.cuda.graph(graph, pool=pool, capture_error_mode=mode),
    ):
        outputs = run()

    def replay() -> Tree:
        graph.replay()
        return outputs

    return replay


class _Captured:
    def __init__(self, network: Callable[..., Tree], inputs: Tree, capture: Capture) -> None:
        self._fixed = map_tensors(inputs, torch.clone)
        self._places = tensors_of(self._fixed)
        self._last = tensors_of(inputs)
        self._replay = capture(lambda: network(*self._fixed))

    def __call__(self, inputs: Tree) -> Tree:
        given = tensors_of(inputs)
        for place, last, tensor in zip(self._places, self._last, given, strict=True):
            if tensor is not last:
                place.copy_(tensor)
        self._last = given
        return map_tensors(self._replay(), torch.clone)


class StaticCall:
    """Calls a network through captured graphs; outputs are the caller's own."""

    def __init__(self, network: Callable[..., Tree], capture: Capture) -> None:
        self._network = network
        self._capture = capture
        self._captured: dict[tuple[Any, ...], _Captured] = {}

    def __call__(self, *inputs: Tree) -> Tree:
        key = tuple((t.shape, t.dtype, t.device) for t in tensors_of(inputs))
        if key not in self._captured:
            self._captured[key] = _Captured(self._network, inputs, self._capture)
        return self._captured[key](inputs)

    def forget(self) -> None:
        """Let go of all graphs and their memory."""
        self._captured.clear()

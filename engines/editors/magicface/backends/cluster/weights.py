"""The weights on every GPU node before the actors start: each node resolves their name once."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from typing import Any

from engines.editors.magicface.folders import NamedWeights
from engines.errors import EngineError
from engines.interface import Cluster

TELL_EVERY_S = 5.0


def resolve_on_nodes(named: NamedWeights, cluster: Cluster) -> None:
    """Has every GPU node but this one find the weights, or download them, and says how it goes.

    A node downloads once, whatever number of its processes asks.

    Raises:
        EngineError: a node cannot have them, or has others; the line names the node.
    """
    here = cluster.this_node()
    others = [node for node in cluster.gpu_nodes() if node != here]
    told = {n: cluster.start(resolve, named, node=n, cpus=0, gpus=0) for n in others}
    for node, lines in told.items():
        for line in lines:
            cluster.say(f"node {node[:8]}: {_told(cluster, line, node)}")


def _told(cluster: Cluster, line: Any, node: str) -> str:
    try:
        return str(cluster.results([line])[0])
    except EngineError as error:
        raise EngineError(f"node {node[:8]}: {error}") from None


def resolve(named: NamedWeights) -> Generator[str]:
    """In a task: lines while weights are looked for or downloaded, the last when they are there.

    Raises:
        EngineError: as `NamedWeights.located`.
    """
    failed: list[Exception] = []
    done = threading.Event()

    def locate() -> None:
        try:
            named.located()
        except Exception as error:  # noqa: BLE001 - raised again below
            failed.append(error)
        finally:
            done.set()

    began, at_first = time.monotonic(), named.bytes_there()
    threading.Thread(target=locate, daemon=True).start()
    while not done.wait(TELL_EVERY_S):
        there, seconds = named.bytes_there(), time.monotonic() - began
        rate = (there - at_first) / seconds / 1e6
        yield f"weights {named.own}: {there / 1e9:.2f} GB here, {rate:.1f} MB/s, {seconds:.0f} s"
    if failed:
        raise failed[0]
    arrived = named.bytes_there() - at_first
    how = f"downloaded {arrived / 1e9:.2f} GB" if arrived > 0 else "found"
    yield f"weights {named.own}: {how} in {time.monotonic() - began:.0f} s"

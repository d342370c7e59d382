"""One builder at a time per stored thing, across processes and nodes that share the folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import SoftFileLease, Timeout

from engines.trt.errors import PlanBuildError

LEASE_S = 120.0
"""A holder whose claim has not been touched for this long is taken for dead; it touches it eight
times as often. A holder that died on this machine is noticed at once by its process id."""
ASK_EVERY_S = 0.2


@contextmanager
def build_lease(
    path: Path,
    *,
    lease_s: float = LEASE_S,
    wait_s: float = 3600.0,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Hold the claim file `path` while the body runs.

    The operating system's own locks are not enough here: a network file system may lack them, and
    a node that vanished never lets go of one. So the claim is a file that its holder touches. A
    holder that stood still for longer than the lease (a suspended machine) may find on waking that
    another has begun: two then build, and the store keeps what was published first.

    Args:
        on_wait: told once who holds the claim, when somebody else does.
    Raises:
        PlanBuildError: the holder is alive and did not finish within `wait_s`.
    """
    lease = SoftFileLease(path, lease_duration=lease_s, heartbeat_interval=lease_s / 8)
    _acquire(lease, path, lease_s, wait_s, on_wait)
    try:
        yield
    finally:
        lease.release()


def is_held(path: Path, lease_s: float = LEASE_S) -> bool:
    """Whether a living process holds a claim right now."""
    if not path.exists():
        return False
    lease = SoftFileLease(path, lease_duration=lease_s, heartbeat_interval=lease_s / 8)
    try:
        lease.acquire(timeout=0, poll_interval=0.01)
    except Timeout:
        return True
    lease.release()
    return False


def _acquire(
    lease: SoftFileLease, path: Path, lease_s: float, wait_s: float, on_wait: Callable[[str], None]
) -> None:
    began = time.monotonic()
    every_s = min(ASK_EVERY_S, lease_s / 4)
    try:
        lease.acquire(timeout=0, poll_interval=every_s)
    except Timeout:
        on_wait(f"waiting for {_holder(lease)}, which is making {path.stem}")
    else:
        return
    try:
        lease.acquire(timeout=max(0.0, wait_s - (time.monotonic() - began)), poll_interval=every_s)
    except Timeout:
        raise PlanBuildError(
            f"{path.stem}: {_holder(lease)} has been making it for more than {wait_s:.0f} s; "
            f"end that process, or remove {path} if it is gone"
        ) from None


def _holder(lease: SoftFileLease) -> str:
    owner = lease.owner
    return "another process" if owner is None else f"process {owner.pid} on {owner.hostname}"

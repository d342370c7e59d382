"""torch on one thread: on networks as small as those of the tests a second one only waits."""

from contextlib import contextmanager

import torch


@contextmanager
def one_thread():
    """One thread while open; a second would spin where others compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

from pathlib import Path

import pytest
import torch

from tests.engines.editors.magicface.tiny import make_weights


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory) -> Path:
    """A complete set of tiny random weights in the official layout; native size 64."""
    return make_weights(tmp_path_factory.mktemp("tiny") / "weights")


@pytest.fixture(scope="session")
def golden(shared) -> Path:
    folder = shared / "golden" / "magicface"
    if not folder.is_dir():
        pytest.skip("no golden set of the official code beside this checkout")
    return folder


@pytest.fixture(autouse=True)
def _small_networks():
    """No gradients, and one thread: on networks this small a second one only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(threads)

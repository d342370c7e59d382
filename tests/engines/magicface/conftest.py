from pathlib import Path

import pytest
import torch

from tests.engines.magicface.tiny import make_weights


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
def _no_gradients():
    with torch.inference_mode():
        yield

import pytest
import torch


@pytest.fixture(autouse=True)
def _gradients(_small_networks):
    """The other rooms' tests run without gradients."""
    with torch.inference_mode(mode=False):
        yield

import numpy as np
import pytest

from pipeline.demo.face import photograph


def test_the_packaged_photograph_is_the_one_scikit_image_ships():
    data = pytest.importorskip("skimage.data")
    assert np.array_equal(photograph(), data.astronaut())


def test_who_draws_on_the_photograph_draws_on_a_copy():
    photograph()[:] = 0
    assert photograph().max() == 255

import pytest
import torch

from residua.nn import CifarStem, ImageNetStem


@pytest.mark.parametrize("stem", [ImageNetStem, CifarStem])
@pytest.mark.parametrize("side", [32, 33, 64])
def test_a_stem_reduces_as_it_says(stem, side):
    out = stem(3, 8)(torch.randn(1, 3, side, side))
    assert out.shape == (1, 8, -(-side // stem.reduction), -(-side // stem.reduction))
    assert bool((out >= 0).all())

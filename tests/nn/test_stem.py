import pytest
import torch

from residua.nn import CifarStem, DeepStem, ImageNetStem, PoolFirstStem


@pytest.mark.parametrize("stem", [ImageNetStem, PoolFirstStem, DeepStem, CifarStem])
@pytest.mark.parametrize("side", [32, 33, 64])
def test_a_stem_reduces_as_it_says(stem, side):
    out = stem(3, 8)(torch.randn(1, 3, side, side))
    assert out.shape == (1, 8, -(-side // stem.reduction), -(-side // stem.reduction))
    assert bool((out >= 0).all())


def test_a_pool_without_padding_gives_the_55_pixels_of_popular_texts():
    images = torch.randn(1, 3, 224, 224)
    assert ImageNetStem(3, 2)(images).shape[2:] == (56, 56)
    assert ImageNetStem(3, 2, pool_padding=0)(images).shape[2:] == (55, 55)

import pytest
import torch

from residua.data.augment.flip import Flip, flip
from residua.errors import UsageError


@pytest.mark.parametrize("shape", [(2000, 3, 2, 3), (2000, 1, 2, 2, 3)])
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_a_share_of_the_images_is_mirrored_whole(images_of, shape, share):
    images = images_of(*shape)
    result = flip(images, share=share, seed=0, step=0)
    turned = (result == images.flip(-1)).flatten(1).all(1)
    assert (turned | (result == images).flatten(1).all(1)).all()
    assert turned.float().mean().item() == pytest.approx(share, abs=0.03)


def test_seed_and_step_decide(images_of):
    images = images_of(64, 3, 4, 4)
    made = [flip(images, seed=seed, step=step) for seed, step in ((1, 2), (1, 3), (2, 2), (1, 2))]
    assert made[0].equal(made[3])
    assert not made[0].equal(made[1])
    assert not made[0].equal(made[2])


def test_an_image_of_one_pixel_is_its_own_mirror_image():
    one = torch.ones(1, 1, 1, 1, dtype=torch.uint8)
    assert flip(one, share=1.0, seed=0, step=0).equal(one)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_a_probability(share):
    with pytest.raises(UsageError, match=r"share must be in \[0, 1\]"):
        Flip(share=share)

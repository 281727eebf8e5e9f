import numpy as np
import pytest
import torch

from residua.data import crop_flip, load_data, normalize
from residua.data.augment.cutout import Cutout, cutout
from residua.data.batches.keyed import generator
from residua.errors import UsageError
from residua.spec import Recipe


@pytest.mark.parametrize("shape", [(1000, 3, 9, 7), (1000, 1, 4, 9, 7)])
def test_a_square_around_any_centre_is_zero(shape: tuple[int, ...]) -> None:
    images = torch.ones(shape)
    result = cutout(images, size=4, seed=1, step=2)
    hidden = (result == 0).reshape(shape[0], -1, 9, 7)
    assert (hidden == hidden[:, :1]).all() and images.min() == 1
    rows, columns = hidden[:, 0].any(2).sum(1), hidden[:, 0].any(1).sum(1)
    assert torch.equal(hidden[:, 0].sum((1, 2)), rows * columns), "one rectangle each"
    assert set(rows.tolist()) == set(columns.tolist()) == {2, 3, 4}, "part of it may lie outside"
    assert hidden[:, 0].float().mean(0).min() > 0.05, "every pixel is hidden in some images"


def test_what_is_hidden_follows_from_seed_and_step() -> None:
    def made(seed: int, step: int) -> torch.Tensor:
        return cutout(torch.ones(50, 1, 8, 8), size=3, seed=seed, step=step)

    assert (
        made(1, 2).equal(made(1, 2)) and not made(1, 2).equal(made(1, 3)) and not made(1, 2).equal(made(2, 2))
    )


def test_it_comes_after_normalisation_with_half_of_the_side_as_its_size() -> None:
    data = load_data("digits")
    recipe = Recipe(batch_size=16, augmentation=(Cutout(),)).change(
        augmentation=["cutout", "crop_flip(1, false)"]
    )
    images, labels = next(data.train_batches(recipe, seed=3).epoch(0))
    read, _ = data.train.read(generator(3, "order", 0).permutation(len(data.train))[:16])
    pixels = crop_flip(read, pad=1, flip=False, seed=3, step=0)
    assert images.equal(cutout(normalize(pixels, data.mean, data.std), size=4, seed=3, step=0))
    assert images.is_contiguous(memory_format=torch.channels_last) and labels.dtype == torch.int64


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_is_above_zero(size: int) -> None:
    with pytest.raises(UsageError, match="size must be above 0"):
        Cutout(size=size)


def test_a_square_larger_than_the_image_hides_it() -> None:
    assert not np.any(cutout(torch.ones(3, 1, 4, 4), size=100, seed=0, step=0).numpy())

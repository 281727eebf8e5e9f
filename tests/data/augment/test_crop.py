import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from residua.data import load_data
from residua.data.augment.crop import Crop, crop
from residua.errors import UsageError
from residua.spec import Recipe

NUMPYS = {"zeros": "constant", "edge": "edge", "reflect": "reflect"}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(list(NUMPYS)), st.integers(1, 5), st.sampled_from([1, 3]), st.sampled_from([(), (2,)]),
    st.integers(1, 9), st.integers(1, 9), st.integers(0, 6),
)  # fmt: skip
def test_each_image_is_a_crop_of_numpys_padded_image(
    images_of, padding, count, channels, depth, height, width, pad
):
    images = images_of(count, channels, *depth, height, width)
    result = crop(images, pad=pad, padding=padding, seed=0, step=1)
    assert result.shape == images.shape
    assert result.dtype == torch.uint8
    around = [(0, 0)] * (images.ndim - 3) + [(pad, pad)] * 2
    for original, made in zip(images.numpy(), result.numpy(), strict=True):
        padded = np.pad(original, around, mode=NUMPYS[padding])
        assert any(
            np.array_equal(padded[..., y : y + height, x : x + width], made)
            for y in range(2 * pad + 1)
            for x in range(2 * pad + 1)
        )


def test_every_shift_occurs_alike_often():
    one = torch.zeros(1, 1, 9, 9, dtype=torch.uint8)
    one[0, 0, 4, 4] = 255
    places = crop(one.expand(5000, 1, 9, 9), pad=2, seed=3, step=0).flatten(1).argmax(1)
    counts = np.bincount(places, minlength=81).reshape(9, 9)[2:7, 2:7]
    assert counts.sum() == 5000
    assert counts.min() > 140


def test_what_is_done_follows_from_seed_and_step(images_of):
    images = images_of(32, 3, 8, 8)
    made = [crop(images, pad=2, seed=seed, step=step) for seed, step in ((1, 2), (1, 3), (2, 2), (1, 2))]
    assert made[0].equal(made[3])
    assert not made[0].equal(made[1])
    assert not made[0].equal(made[2])


def test_without_a_number_it_is_the_datas_own_habit():
    data = load_data("digits")
    own, named = (
        next(data.train_batches(Recipe(batch_size=16).change(augmentation=how), seed=0).epoch(0))[0]
        for how in ("crop", "crop(pad=1, padding=zeros)")
    )
    assert own.equal(named)


@pytest.mark.parametrize("options", [{"pad": -1}, {"padding": "mirror"}, {"pad": 1.5}])
def test_options_are_refused_in_one_line(options):
    with pytest.raises(UsageError, match="augmentation 'crop'"):
        Crop(**options)


def test_padding_beyond_the_images_is_refused_before_memory_is_asked_for():
    recipe = Recipe(batch_size=16).change(augmentation="crop(pad=1000000000)")
    with pytest.raises(
        UsageError, match=r"^augmentation 'crop'\.pad is 1000000000, more than images of 8 x 8 px"
    ):
        load_data("digits").train_batches(recipe, seed=0)
    load_data("digits").train_batches(recipe.change(augmentation="crop(pad=8)"), seed=0)

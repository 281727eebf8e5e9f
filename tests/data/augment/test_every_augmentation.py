"""What holds of every augmentation that there is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from residua import fit, parts
from residua.data import load_data
from residua.data.augment.random_resized_crop import RandomResizedCrop
from residua.data.batches.keyed import BatchKey
from residua.errors import UsageError
from residua.spec import Augmentation, Recipe

KINDS = sorted(parts.parts("augmentation"))
OF_COLOURS = ("color_jitter", "randaugment", "trivial_augment")  # and so not of volumes


def data_of(shape: tuple[int, ...]) -> Any:
    """What an augmentation asks of data."""
    return SimpleNamespace(shape=shape, classes=("a", "b", "c"), pad=1, flip=True, train=range(100))


def key(count: int, *, seed: int = 0, step: int = 0) -> BatchKey:
    return BatchKey(seed=seed, epoch=step // 4, step=step, positions=np.arange(count))


def batch(part: Augmentation, shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = torch.from_numpy(np.random.default_rng(len(shape)).integers(0, 256, shape, dtype=np.uint8))
    return (pixels.float() / 100 - 1 if part.normalized else pixels), torch.arange(shape[0]) % 3


@settings(max_examples=25)
@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(1, 7), st.sampled_from([1, 3]), st.integers(1, 19), st.integers(1, 19), st.integers(0, 9))
def test_any_batch_keeps_its_shape_and_what_was_given(kind, count, channels, height, width, step):
    part = Augmentation.called(kind)()
    images, targets = batch(part, (count, channels, height, width))
    before = images.clone()
    augment = part.build(data_of(tuple(images.shape[1:])))
    made, labels = augment(images, targets, key(count, step=step))
    assert images.equal(before)
    assert made.shape == images.shape
    assert made.dtype == images.dtype
    if part.blends_classes:
        assert labels.shape == (count, 3)
        assert torch.allclose(labels.sum(1), torch.ones(count))
    else:
        assert labels.equal(targets)
    again, _ = part.build(data_of(tuple(images.shape[1:])))(
        images.contiguous(memory_format=torch.channels_last), targets, key(count, step=step)
    )
    assert again.equal(made)


@pytest.mark.parametrize("kind", KINDS)
def test_seed_and_step_decide_and_nothing_else(kind):
    part = Augmentation.called(kind)()
    images, targets = batch(part, (32, 3, 16, 16))
    augment = part.build(data_of((3, 16, 16)))
    first = augment(images, targets, key(32, seed=1, step=2))[0]
    torch.manual_seed(9)
    np.random.seed(9)
    assert augment(images, targets, key(32, seed=1, step=2))[0].equal(first)
    assert not augment(images, targets, key(32, seed=2, step=2))[0].equal(first)
    assert not augment(images, targets, key(32, seed=1, step=5))[0].equal(first)


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_epoch_of_real_images_goes_on_with_the_same_batches(kind):
    data = load_data("digits")
    batches = data.train_batches(Recipe(batch_size=100).change(augmentation=[kind]), seed=3)
    whole = list(batches.epoch(1))
    rest = list(batches.epoch(1, 7))
    assert all(a.equal(c) and b.equal(d) for (a, b), (c, d) in zip(whole[7:], rest, strict=True))
    assert all(images.is_contiguous(memory_format=torch.channels_last) for images, _ in whole)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in OF_COLOURS])
def test_all_slices_of_a_volume_go_together(kind):
    part = Augmentation.called(kind)()
    images, targets = batch(part, (6, 2, 1, 9, 8))
    images = images.expand(6, 2, 4, 9, 8)
    made, _ = part.build(data_of((2, 4, 9, 8)))(images, targets, key(6))
    assert made.shape == images.shape
    assert (made == made[:, :, :1]).all()


@pytest.mark.parametrize("shape", [(1, 4, 9, 9), (2, 9, 9)])
@pytest.mark.parametrize("kind", OF_COLOURS)
def test_what_has_no_colours_is_refused_in_one_line(kind, shape):
    with pytest.raises(UsageError) as refused:
        Augmentation.called(kind)().build(data_of(shape))
    said = " x ".join(map(str, shape))
    assert str(refused.value) == (
        f"augmentation '{kind}' is for grey or colour images, not for data of {said}: leave it out"
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mixup"])
def test_rows_of_a_table_are_refused_in_one_line(kind):
    recipe = Recipe().change(augmentation=[f"{kind}(pad=1)" if kind == "crop_flip" else kind])
    with pytest.raises(
        UsageError, match=f"^augmentation '{kind}' is for .*images, not for .*64.*: leave it out$"
    ):
        load_data("digits-table").train_batches(recipe, seed=0)


@pytest.mark.parametrize(
    ("data", "augmentation"),
    [
        ("digits-table", "cutout"),
        ("moving-digits", "randaugment"),
        ("text", "flip"),
    ],
)
def test_what_the_data_do_not_take_is_refused_before_anything_is_written(data, augmentation, tmp_path):
    recipe = Recipe().change(augmentation=augmentation)
    with pytest.raises(UsageError, match=f"augmentation '{augmentation}' is for"):
        fit(data=data, recipe=recipe, run_dir=tmp_path / "run", progress=False)
    assert not list(tmp_path.iterdir())


def test_several_in_a_row_train(tmp_path):
    names = ["random_resized_crop", "trivial_augment", "cutmix", "mixup", "random_erasing"]
    recipe = Recipe(iterations=2, batch_size=16).change(augmentation=names)
    run = fit(
        "cifar_resnet20",
        "digits",
        recipe,
        run_dir=tmp_path / "run",
        limit_batches=2,
        compile="off",
        progress=False,
    )
    assert run.recipe.augmentation[0] == RandomResizedCrop()
    assert run.complete

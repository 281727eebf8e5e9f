import numpy as np
import pytest
import torch

from residua.data.augment.randaugment import RandAugment, randaugment
from residua.data.augment.spaces import RANDAUGMENT, TRIVIAL_AUGMENT, drawn, usual
from residua.data.augment.trivial_augment import TrivialAugment, trivial_augment
from residua.data.batches.keyed import generator
from residua.data.batches.operations import OPERATIONS
from residua.errors import UsageError
from residua.spec import Augmentation, Recipe


@pytest.fixture(scope="module")
def autoaugment():
    from benchmarks.peers import import_torchvision

    try:
        return import_torchvision().transforms.autoaugment
    except ImportError as error:
        pytest.skip(f"torchvision cannot be imported: {error}")


def test_every_operation_of_the_spaces_is_there_and_is_drawn_alike_often():
    assert len(usual(RANDAUGMENT)) == len(usual(TRIVIAL_AUGMENT)) == 14
    for space in (RANDAUGMENT, TRIVIAL_AUGMENT):
        assert set(space) <= set(OPERATIONS)
        names = usual(space)
        which, amounts = drawn(space, names, np.full(14_000, 0.5), generator(0, "draw"))
        assert 880 < np.bincount(which, minlength=14).min() < np.bincount(which).max() < 1120
        for number, name in enumerate(names):
            weakest, strongest, signed = space[name]
            half = (strongest - weakest) / 2
            expected = sorted({weakest + half, weakest - half if signed else weakest + half})
            assert sorted(set(amounts[which == number].tolist())) == pytest.approx(expected)


def named(name: str) -> str:
    """torchvision's name of an operation."""
    return {"autocontrast": "AutoContrast"}.get(name) or name.removesuffix("_rel").title().replace("_", "")


@pytest.mark.parametrize("side", [32, 224])
def test_the_reach_of_each_is_torchvisions(autoaugment, side):
    ours = {
        "RandAugment": (RANDAUGMENT, autoaugment.RandAugment()._augmentation_space(31, (side, side))),
        "TrivialAugment": (TRIVIAL_AUGMENT, autoaugment.TrivialAugmentWide()._augmentation_space(31)),
    }
    for space, peers in ours.values():
        assert {named(name) for name in usual(space)} == set(peers)
        for name in usual(space):
            magnitudes, signed = peers[named(name)]
            weakest, strongest, ours_signed = space[name]
            assert ours_signed == signed
            for number in range(31 if magnitudes.ndim else 0):
                amount = weakest + number / 30 * (strongest - weakest)
                amount = {"_rel": amount * side}.get(name[-4:], amount)
                if name == "posterize":
                    amount = np.rint(amount)
                if weakest == 1:
                    amount -= 1
                assert amount == pytest.approx(magnitudes[number].item(), abs=1e-4)


def test_one_operation_does_to_each_image_what_it_does_alone(images_of):
    images = images_of(20, 3, 9, 9)
    made = randaugment(images, count=3, magnitude=30, operations=("invert",), seed=0, step=0)
    assert made.equal(255 - images)
    bits = randaugment(images, count=1, magnitude=15, operations=("posterize",), seed=0, step=0)
    assert bits.equal(images & 0b11111100)
    assert randaugment(
        images, count=2, magnitude=0, operations=usual(RANDAUGMENT)[:10], seed=0, step=0
    ).equal(images)


def test_each_image_is_changed_by_itself_and_by_every_strength(images_of):
    images = images_of(1, 1, 8, 8).expand(4000, 1, 8, 8)
    made = trivial_augment(images, operations=("solarize",), seed=0, step=0)
    thresholds = np.round(255 * (1 - np.arange(31) / 30), 6)
    possible = {torch.where(images[0] < t, images[0], 255 - images[0]).numpy().tobytes() for t in thresholds}
    assert {image.numpy().tobytes() for image in made} == possible


@pytest.mark.parametrize(
    ("part", "options", "said"),
    [
        (RandAugment, {"count": 0}, "augmentation 'randaugment'.count must be above 0, not 0"),
        (
            RandAugment,
            {"magnitude": 31},
            r"augmentation 'randaugment'.magnitude must be in \[0, 30\], not 31",
        ),
        (
            RandAugment,
            {"operations": []},
            "augmentation 'randaugment'.operations needs an operation at least: ident",
        ),
        (
            RandAugment,
            {"operations": ["shearx"]},
            "'randaugment'.operations has no 'shearx'; did you mean 'shear_x'",
        ),
        (
            TrivialAugment,
            {"operations": ["translate_x_rel"]},
            "'trivial_augment'.operations has no 'translate_x_rel'",
        ),
        (TrivialAugment, {"operations": "invert"}, "operations must be a list, not 'invert'"),
    ],
)
def test_options_are_refused_in_one_line(part, options, said):
    with pytest.raises(UsageError, match=said):
        part(**options)


def test_it_is_read_from_a_line_and_from_a_table():
    written = Recipe().change(augmentation=["crop_flip", "randaugment(2, 5, operations=[rotate, invert])"])
    part = RandAugment(magnitude=5, operations=("rotate", "invert"))
    assert written.augmentation[1] == part
    assert Recipe.from_dict(written.to_dict()) == written
    assert Augmentation.read("randaugment", "x") == RandAugment()

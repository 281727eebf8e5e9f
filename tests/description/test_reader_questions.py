from functools import cache

import pytest

from residua.description import describe
from residua.registry import build, model_spec


@cache
def _described(name):
    return describe(name)


def _answers(name, shape=None, **changes):
    described = describe(model_spec(name, **changes), shape)
    return [answer.answer for answer in described.answers]


def test_option_a_subsamples_first_told_with_the_networks_own_shapes():
    answer = _answers("cifar_resnet20")[0]
    assert "16x32x32 is subsampled to 16x16x16, then 16 zero channels appended give 32x16x16" in answer
    assert "no parameters" in answer


def test_zeros_on_both_sides():
    assert (
        "8 zero channels before and 8 after give 32x16x16"
        in _answers("cifar_resnet20", shortcut="A-split")[0]
    )


def test_a_projecting_network_says_what_it_does_instead():
    answer = _answers("resnet50")[0]
    assert "stages.1.0 of this network projects instead, by a 1x1 convolution with stride 2" in answer
    assert (
        "with option A 256x56x56 is subsampled to 256x28x28, then 256 zero channels appended give 512x28x28"
        in answer
    )
    assert "is plain and has no shortcut" in _answers("plain18")[0]


def test_the_first_bottleneck_widens_and_the_figure_shows_a_later_one():
    assert (
        "Here stages.0.0 goes 64 -> 256 through a projection (16,896 parameters); "
        "the 2 after it take 256-d input as in the figure." in _answers("resnet50")[1]
    )
    assert (
        "16 -> 64 by 48 zero channels appended; the 17 after it take 64-d input."
        in _answers("cifar_resnet164")[1]
    )
    assert (
        "stage1 takes 64 channels from the stem and gives 64, so all of its 3 units"
        in _answers("resnet34")[1]
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "resnet50",
            "Of the 4 stages 3 halve the map (stage2: 56x56 to 28x28, stage3: 28x28 to 14x14, stage4: 14x14 to 7x7)",
        ),
        ("resnet50", "stage1 keeps the 56x56 map that the stem's max-pool gives"),
        (
            "resnet50",
            "One max-pool remains, in the stem (64x112x112 to 64x56x56); one fully connected layer remains",
        ),
        ("resnet50", "(2048 to 1000, 2,049,000 parameters)"),
        (
            "resnet50",
            "The depth 50 counts convolutions on the main path and the fully connected layer (1 in the stem + 48 in 16",
        ),
        ("resnet50", "53 batch norms and 4 projections do not count"),
        ("cifar_plain20", "Of the 3 stages 2 halve the map"),
        ("cifar_plain20", "There is no max-pool"),
        ("cifar_plain20", "19 batch norms do not count"),
    ],
)
def test_misreadings_are_corrected_with_the_networks_own_numbers(name, said):
    assert said in " ".join(_described(name).corrections)


def test_a_network_of_one_stage():
    described = describe(model_spec("cifar_resnet8", depths=[2], widths=[4]))
    assert "Of the 1 stages none halve the map" in described.corrections[0]
    assert "no unit changes the map's size" in described.answers[0].answer


def test_a_network_without_a_classifier():
    model = build(model_spec("cifar_resnet8"))
    model.reset_classifier(0)
    described = describe(model)
    assert "the fully connected layer was left out" in described.corrections[1]
    assert described.depth == 7


def test_small_images_in_a_large_stem_are_noted():
    (note,) = describe("resnet18", (3, 32, 32)).notes
    assert "reach the end of the last stage as a single pixel (2x2 to 1x1)" in note
    assert describe("resnet18", (3, 64, 64)).notes == ()
    assert describe("cifar_resnet8", (3, 4, 4)).notes == ()

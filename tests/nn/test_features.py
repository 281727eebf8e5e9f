import pytest
import torch

from residua.errors import UsageError
from residua.nn.features import features
from residua.nn.fpn import FeaturePyramid
from residua.registry import build, families, model_spec

TINY = sorted(
    family.tiny for family in families().values() if family.tiny and "features" in family.capabilities
)


def test_the_levels_of_a_resnet_by_hand():
    model = build(model_spec("resnet18"))
    levels = features(model)
    assert (levels.levels, levels.strides, levels.channels) == (
        (2, 3, 4, 5),
        (4, 8, 16, 32),
        (64, 128, 256, 512),
    )
    assert [tuple(m.shape) for m in levels(torch.randn(1, 3, 65, 96))] == [
        (1, 64, 17, 24),
        (1, 128, 9, 12),
        (1, 256, 5, 6),
        (1, 512, 3, 3),
    ]


@pytest.mark.parametrize("name", TINY)
def test_every_family_gives_maps_of_the_stated_channels_and_strides(name):
    model = build(model_spec(name)).eval()
    x = torch.randn(2, *model.spec.usual_input)
    levels = features(model)
    with torch.inference_mode():
        maps, last = levels(x), model.forward_features(x)
    for level, channels, stride in zip(maps, levels.channels, levels.strides, strict=True):
        assert level.shape == (2, channels, *(-(-side // stride) for side in x.shape[2:]))
    if name == "vit_digits":  # the positions of the patches, as a map
        last = last[:, 1:].transpose(1, 2).reshape(maps[-1].shape)
    assert torch.equal(maps[-1], last)  # the tail of pre-activation nets included


@pytest.mark.parametrize("levels", [(2,), (3,), (2, 4), (3, 4), [2, 3, 4]])
def test_any_subset_of_levels_is_that_of_all(levels):
    model = build(model_spec("cifar_preact_resnet8")).eval()
    x = torch.randn(1, 3, 16, 16)
    every = dict(zip((2, 3, 4), features(model)(x), strict=True))
    chosen = features(model, levels)
    assert all(torch.equal(a, every[k]) for k, a in zip(levels, chosen(x), strict=True))
    assert len(chosen.stages) == max(levels) - 1  # what stands above is left out


def test_the_weights_are_the_models_own_under_their_own_names():
    model = build(model_spec("cifar_resnet8"))
    own = dict(model.named_parameters())
    for name, parameter in features(model).named_parameters():
        assert parameter is own[name]


@pytest.mark.parametrize("levels", [(), (1,), (2, 5), (3, 2), (2, 2), (2.0,), ("2",)])
def test_levels_that_are_none(levels):
    with pytest.raises(UsageError, match="the levels of cifar_resnet8 are 2 to 4, in rising order"):
        features(build(model_spec("cifar_resnet8")), levels)


def test_other_modules_and_other_images_are_refused():
    with pytest.raises(
        UsageError, match="only classifiers of images with stages give feature maps, not Linear"
    ):
        features(torch.nn.Linear(2, 2))
    clips = features(build(model_spec("r3d_tiny")))
    with pytest.raises(UsageError, match=r"r3d_tiny takes volumes \(N, 1, D, H, W\) of at least 4 px"):
        clips(torch.zeros(1, 1, 32, 32))
    with pytest.raises(UsageError, match="a feature pyramid is of images, and r3d_tiny takes volumes"):
        FeaturePyramid(clips)
    levels = features(build(model_spec("cifar_resnet8")))
    for shape in ((3, 32, 32), (1, 1, 32, 32), (1, 3, 32, 3)):
        with pytest.raises(UsageError, match=r"cifar_resnet8 takes images \(N, 3, H, W\) of at least 4 px"):
            levels(torch.zeros(shape))

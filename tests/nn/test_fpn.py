import pytest
import torch
import torch.nn.functional as F

from residua.nn import residual_units
from residua.nn.features import features
from residua.nn.fpn import FeaturePyramid
from residua.registry import build, model_spec


def pyramid(name="cifar_resnet8", levels=None, **options):
    torch.manual_seed(0)
    return FeaturePyramid(features(build(model_spec(name)), levels), 16, **options).eval()


@pytest.mark.parametrize(
    ("top", "strides"), [("none", (1, 2, 4)), ("pool", (1, 2, 4, 8)), ("conv", (1, 2, 4, 8, 16))]
)
@pytest.mark.parametrize("side", [32, 33, 35])
def test_shapes_at_even_and_odd_sizes(top, strides, side):
    network = pyramid(top=top)
    assert network.strides == strides
    assert network.channels == (16,) * len(strides)
    maps = network(torch.randn(2, 3, side, side)).values()
    assert [tuple(m.shape) for m in maps] == [(2, 16, -(-side // s), -(-side // s)) for s in strides]


def test_each_level_is_its_lateral_plus_the_doubled_one_above_smoothed():
    """By hand (Lin et al. 2017, sec. 3); the usual mistake is to add the map above after it was smoothed."""
    network = pyramid(levels=(2, 4))
    x = torch.randn(1, 3, 16, 16)
    c2, c4 = network.backbone(x)
    above = network.lateral[1](c4)
    below = network.lateral[0](c2) + above.repeat_interleave(4, 2).repeat_interleave(4, 3)
    p2, p4 = network(x).values()
    assert torch.allclose(p4, network.smooth[1](above), atol=1e-6)
    assert torch.allclose(p2, network.smooth[0](below), atol=1e-6)


def test_tops():
    x = torch.randn(1, 3, 32, 32)
    *_, p4, p5 = pyramid(top="pool")(x).values()
    assert torch.equal(p5, p4[:, :, ::2, ::2])
    network = pyramid(top="conv")
    *_, p4, p5, p6 = network(x).values()
    assert torch.allclose(p5, network.top[0](p4))
    assert torch.allclose(p6, network.top[1](F.relu(p5)))


def test_its_sums_are_no_residual_units_and_everything_learns():
    network = pyramid(top="conv").train()
    assert list(residual_units(network)) == [f"backbone.stages.{i}.0" for i in range(3)]
    sum(level.square().mean() for level in network(torch.randn(2, 3, 32, 32)).values()).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())

import pytest
import torch
from torch import nn

from residua.errors import UsageError
from residua.nn import DropPath, Projection, SplitAttention, residual_units
from residua.registry import build, model_spec

PARAMETERS = {  # timm's
    "resnest14": 10_611_688,
    "resnest26": 17_069_448,
    "resnest50": 27_483_240,
    "resnest101": 48_275_016,
    "resnest200": 70_201_544,
    "resnest269": 110_929_480,
    "resnest50_fast_2s1x64d": 27_483_240,
    "resnest50_fast_4s2x40d": 30_417_592,
    "resnest50_fast_1s4x24d": 25_677_000,
}


def _meta(name, **changes):
    with torch.device("meta"):
        return build(model_spec(name, **changes))


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_exact_parameters(name, parameters):
    assert sum(p.numel() for p in _meta(name).parameters()) == parameters


def test_a_unit_is_the_bottleneck_around_split_attention():
    model, spec = _meta("resnest50"), model_spec("resnest50")
    units = residual_units(model)
    assert len(units) == sum(spec.depths) == 16
    assert all(isinstance(unit.branch.conv2, SplitAttention) for unit in units.values())
    assert spec.depth == 50


def test_pooling_takes_the_strides():
    for name, before, after in (("resnest50", "conv2", "conv3"), ("resnest50_fast_2s1x64d", "act1", "conv2")):
        units = residual_units(_meta(name))
        pools = {
            key: unit.branch.pool.stride
            for key, unit in units.items()
            if "pool" in dict(unit.branch.named_children())
        }
        assert pools == {"stages.1.0": 2, "stages.2.0": 2, "stages.3.0": 2}
        order = list(dict(units["stages.1.0"].branch.named_children()))
        assert order.index(before) + 1 == order.index("pool") == order.index(after) - 1
        strided = [
            m
            for unit in units.values()
            for m in unit.modules()
            if isinstance(m, nn.Conv2d) and m.stride != (1, 1)
        ]
        assert not strided


def test_a_pooled_projection_sees_every_pixel():
    shortcut = residual_units(build(model_spec("resnest_tiny")))["stages.1.0"].shortcut
    assert isinstance(shortcut, Projection)
    x = torch.randn(1, 32, 5, 5, requires_grad=True)
    out = shortcut.eval()(x)
    assert out.shape == (1, 64, 3, 3)
    out.square().sum().backward()
    assert bool((x.grad != 0).any(1).all())


def test_every_parameter_learns_at_eight_pixels():
    torch.manual_seed(0)
    model = build(model_spec("resnest_tiny", in_channels=1))
    model(torch.randn(8, 1, 8, 8)).square().sum().backward()
    without = {name for name, p in model.named_parameters() if p.grad is None or not bool(p.grad.ne(0).any())}
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    # a bias that a batch norm follows has no effect
    assert all(name.endswith("fc1.bias") for name in without)


def test_drop_path_and_zero_init_reach_the_units():
    model = build(model_spec("resnest_tiny", drop_path=0.3, drop_path_mode="batch", zero_init=True))
    units = list(residual_units(model).values())
    assert [unit.drop_path.rate for unit in units] == pytest.approx([0.1, 0.2, 0.3])
    assert all(isinstance(unit.drop_path, DropPath) and unit.drop_path.mode == "batch" for unit in units)
    assert all(not unit.branch.norm3.weight.any() for unit in units)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": [1]}, "equally long"),
        ({"widths": [64, 128, 256, 0]}, "needs a unit and a channel"),
        ({"radix": 0}, "radix must be above 0"),
        ({"radix": 3}, "must be a multiple of radix"),
        ({"base_width": 0}, "base_width must be above 0"),
        ({"stem_width": 33}, "the width of a deep stem must be even"),
        ({"drop_path": 1.0}, r"drop_path.rate must be in \[0, 1\)"),
    ],
)
def test_specs_that_cannot_be_built_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        model_spec("resnest50", **changes)

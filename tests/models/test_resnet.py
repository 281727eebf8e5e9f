from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn

from residua import parts
from residua.errors import UsageError
from residua.models.resnet import ResNetSpec, cifar_spec
from residua.models.slots import UnitSpec
from residua.nn import (
    BranchOnly,
    Chain,
    DropPath,
    PadShortcut,
    Projection,
    Residual,
    basic_layers,
    conv_branch,
    residual_units,
)
from residua.registry import build, family, model_spec

IMAGENET = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnet50_v1": 25_557_032,
    "plain18": 11_515_688,
    "plain34": 21_623_848,
}
OPTION_C = {"resnet34": 22_716_840, "resnet50": 40_128_552}
CIFAR = {  # depth: options A, B, C
    20: (269_722, 272_474, 283_962),
    32: (464_154, 466_906, 489_594),
    44: (658_586, 661_338, 695_226),
    56: (853_018, 855_770, 900_858),
    110: (1_727_962, 1_730_714, 1_826_202),
    1202: (19_421_274, 19_424_026, 20_538_714),
}


def _meta(name, **changes):
    with torch.device("meta"):
        return build(model_spec(name, **changes))


def _parameters(name, **changes):
    return sum(p.numel() for p in _meta(name, **changes).parameters())


@pytest.mark.parametrize(("name", "parameters"), IMAGENET.items())
def test_parameters_of_the_imagenet_networks(name, parameters):
    assert _parameters(name) == parameters


@pytest.mark.parametrize(("name", "parameters"), OPTION_C.items())
def test_parameters_with_option_c(name, parameters):
    assert _parameters(name, shortcut="C") == parameters


CASES = [
    (depth, option, parameters)
    for depth, counts in CIFAR.items()
    for option, parameters in zip("ABC", counts, strict=True)
    if depth < 1202 or option == "C"  # the deepest takes a second each; A and B of it are counted in analysis
]


@pytest.mark.parametrize(("depth", "option", "parameters"), CASES)
def test_parameters_of_the_cifar_networks(depth, option, parameters):
    assert _parameters(f"cifar_resnet{depth}", shortcut=option) == parameters


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_a_plain_net_has_its_option_a_twins_parameters_by_name_and_shape(depth):
    plain, residual = _meta(f"cifar_plain{depth}"), _meta(f"cifar_resnet{depth}")
    assert {n: p.shape for n, p in plain.named_parameters()} == {
        n: p.shape for n, p in residual.named_parameters()
    }


@pytest.mark.parametrize("name", family("resnet").named)
def test_every_name_builds_under_its_own_name_and_says_its_depth(name):
    spec = model_spec(name)
    assert spec.name == name
    assert isinstance(spec, ResNetSpec)
    assert str(spec.depth) in name
    if spec.depth > 200:
        return  # the shallower ones have the same parts
    model = _meta(name)
    units = residual_units(model)
    assert len(units) == sum(spec.depths)
    assert all(isinstance(unit.merge, BranchOnly) == ("plain" in name) for unit in units.values())


def test_the_smallest_member_runs_in_every_variant():
    x = torch.randn(2, 3, 16, 16)
    for order in ("original", "full_preact"):
        for unit in ("basic", "bottleneck"):
            for shortcut in ("A", "A-split", "B", "C"):
                spec = ResNetSpec(
                    unit=unit,
                    depths=(2, 1),
                    widths=(4, 6),
                    stem="cifar",
                    shortcut=shortcut,
                    order=order,
                    num_classes=5,
                )
                model = build(spec)
                model(x).sum().backward()
                assert all(p.grad is not None for p in model.parameters()), (order, unit, shortcut)


def test_in_full_preactivation_a_projection_shares_the_norm_and_the_first_unit_has_none():
    model = build(model_spec("cifar_resnet8", order="full_preact", shortcut="B"))
    first, second = model.stages[0][0], model.stages[1][0]
    assert isinstance(first, Residual), "the stem ends with norm and activation already"
    assert next(iter(first.branch)).__class__ is nn.Conv2d
    assert isinstance(second, Chain)
    assert list(dict(second.named_children())) == ["preact", "unit"]
    assert isinstance(second.unit.shortcut, Projection)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in second.unit.shortcut.modules())
    x = torch.randn(2, 16, 8, 8)
    pre = torch.relu(second.preact.norm(x))
    branch = second.unit.branch
    expected = second.unit.shortcut.conv(pre) + branch.conv2(torch.relu(branch.norm2(branch.conv1(pre))))
    assert torch.allclose(second(x), expected, atol=1e-6)


def test_in_full_preactivation_nothing_follows_the_sum_and_the_tail_ends_the_network():
    model = build(model_spec("cifar_resnet14", order="full_preact", shortcut="A")).eval()
    unit = model.stages[0][1]
    x = torch.randn(2, 16, 8, 8)
    b = unit.branch
    branch = b.conv2(torch.relu(b.norm2(b.conv1(torch.relu(b.norm1(x))))))
    assert torch.allclose(unit(x), x + branch, atol=1e-6)
    images = torch.randn(2, 3, 16, 16)
    maps = model.stages(model.stem(images))
    assert isinstance(model.tail[0], nn.BatchNorm2d)
    assert torch.allclose(model.forward_features(images), torch.relu(model.tail[0](maps)))


def test_the_original_order_has_no_tail():
    assert isinstance(_meta("cifar_resnet8").tail, nn.Identity)


@pytest.mark.parametrize(("name", "conv"), [("resnet50_v1", "conv1"), ("resnet50", "conv2")])
def test_v1_strides_on_the_1x1_and_v15_on_the_3x3(name, conv):
    model = _meta(name)
    for stage in list(model.stages)[1:]:
        branch = stage[0].branch
        assert {n for n, m in branch.named_children() if isinstance(m, nn.Conv2d) and m.stride == (2, 2)} == {
            conv
        }


def test_custom_stages_widths_and_channels():
    spec = model_spec("resnet18", depths=[1, 3], widths=[8, 24], stem="cifar", in_channels=1, num_classes=4)
    model = build(spec)
    assert [len(stage) for stage in model.stages] == [1, 3]
    assert model(torch.randn(2, 1, 9, 9)).shape == (2, 4)


def test_default_shortcuts_are_a_on_cifar_and_b_on_imagenet():
    shortcut = {
        name: type(residual_units(_meta(name))["stages.1.0"].shortcut)
        for name in ("cifar_resnet20", "resnet18")
    }
    assert shortcut == {"cifar_resnet20": PadShortcut, "resnet18": Projection}


def test_drop_path_rates_follow_the_rule_and_reach_the_units():
    spec = model_spec("cifar_resnet20", drop_path=0.5, drop_path_mode="batch")
    drops = [unit.drop_path for unit in residual_units(build(spec)).values()]
    assert all(isinstance(drop, DropPath) and drop.mode == "batch" for drop in drops)
    assert [drop.rate for drop in drops] == pytest.approx([0.5 * (i + 1) / 9 for i in range(9)])


def test_a_network_of_one_unit_can_drop_it():
    model = build(ResNetSpec(depths=(1,), widths=(4,), stem="cifar", drop_path=0.3))
    assert [unit.drop_path.rate for unit in residual_units(model).values()] == [0.3]


@pytest.mark.parametrize(
    ("name", "changes", "unit", "depths"),
    [
        ("cifar_resnet26", {}, "basic", (4, 4, 4)),
        ("cifar_resnet29", {}, "bottleneck", (3, 3, 3)),
        ("cifar_resnet164", {}, "bottleneck", (18, 18, 18)),
        ("cifar_resnet164", {"unit": "basic"}, "basic", (27, 27, 27)),
        ("cifar_resnet20", {"unit": "bottleneck"}, "bottleneck", (2, 2, 2)),
        ("cifar_resnet1001", {}, "bottleneck", (111, 111, 111)),
        ("cifar_preact_resnet1001", {}, "bottleneck", (111, 111, 111)),
    ],
)
def test_depths_of_both_formulas(name, changes, unit, depths):
    spec = model_spec(name, **changes)
    assert (spec.unit.kind, spec.depths, spec.widths) == (unit, depths, (16, 32, 64))
    assert spec.order.kind == ("full_preact" if "preact" in name else "original")


@pytest.mark.parametrize(
    ("depth", "unit", "message"),
    [
        (21, None, "depth 21 is not 6n+2 (basic) or 9n+2 (bottleneck); the nearest 6n+2 are 20 and 26"),
        (2, None, "the nearest 6n+2 are 8 and 14"),
        (0, None, "depth 0 is not 6n+2"),
        (26, "bottleneck", "depth 26 is not 9n+2 (bottleneck units); the nearest 9n+2 are 20 and 29"),
        (29, "basic", "depth 29 is not 6n+2 (basic units); the nearest 6n+2 are 26 and 32"),
        (20, "bottelneck", "unit must be 'basic' or 'bottleneck', not 'bottelneck'"),
    ],
)
def test_a_depth_that_fits_no_formula_gets_one_clear_line(depth, unit, message):
    with pytest.raises(UsageError) as caught:
        cifar_spec(depth, unit=unit)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": [2, 2]}, "equally long"),
        ({"depths": [], "widths": []}, "not empty"),
        ({"depths": [2, 0, 2, 2]}, "needs a unit"),
        ({"widths": [64, 128, 256, -1]}, "needs a unit and a channel"),
        ({"unit": "basik"}, "unknown unit 'basik'; did you mean 'basic'?"),
        ({"drop_path": 1.0}, r"drop_path.rate must be in \[0, 1\)"),
        ({"dropout": -0.1}, r"dropout must be in \[0, 1\)"),
        ({"cardinality": 2}, "unit 'basic' has no key 'cardinality'"),
        ({"order": "preact"}, "unknown order 'preact'; did you mean 'full_preact'"),
        ({"merge": "gate"}, "unknown merge 'gate'.*exclusive_gating"),
        ({"drop_path": 0.1, "merge": "branch_only"}, "drop_path needs merge='add'"),
        ({"zero_init": True, "merge": "branch_only"}, "zero_init needs merge='add'"),
        ({"unit": "bottleneck(expansion=0)"}, "expansion must be above 0"),
        ({"num_classes": -1}, "num_classes cannot be negative"),
        ({"stem": "imgnet"}, "unknown stem 'imgnet'; did you mean 'imagenet'"),
        ({"norm": "none"}, "norm 'none' needs a stem without one: 'imagenet' has its own"),
    ],
)
def test_specs_that_cannot_be_built_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        model_spec("resnet18", **changes)


def test_building_is_a_function_of_the_seed():
    def weights():
        torch.manual_seed(3)
        return build(model_spec("cifar_resnet8")).state_dict()

    one, other = weights(), weights()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_unit_of_the_users_own_has_options_and_trains_a_step(monkeypatch):
    monkeypatch.setitem(parts._parts, "unit", dict(parts.parts("unit")))

    @parts.register
    @dataclass(frozen=True, kw_only=True)
    class SingleUnit(UnitSpec):
        kind: ClassVar[str] = "single"
        slope: float = 0.1

        @property
        def convolutions(self):
            return 1

        def build(self, place, order, *, preactivated=False):
            convs = conv_branch(basic_layers(place.width, place.stride)[:1], place.in_channels, order)
            return nn.Sequential(convs, nn.LeakyReLU(self.slope))

    spec = ResNetSpec(unit=SingleUnit(slope=0.2), depths=(1, 2), widths=(4, 8), stem="cifar", num_classes=3)
    assert spec.depth == 5
    assert ResNetSpec.from_dict(spec.to_dict()) == spec
    torch.manual_seed(0)
    model = build(spec)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    x, y = torch.randn(8, 3, 8, 8), torch.arange(8) % 3
    losses = []
    for _ in range(5):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_unit_name_cannot_be_taken_twice():
    with pytest.raises(UsageError, match="unit 'basic' is already registered"):
        parts.register(type("Mine", (UnitSpec,), {"kind": "basic"}))


def test_the_tiny_member_is_tiny():
    model = build(model_spec(family("resnet").tiny))
    assert sum(p.numel() for p in model.parameters()) < 100_000

"""The orders and shortcuts of He et al. 2016, as whole units of built networks, against their equations."""

import pytest
import torch
from torch import nn

from residua.models.resnet import ResNetSpec
from residua.nn import (
    Add,
    Chain,
    ConstantScaling,
    DropoutShortcut,
    ExclusiveGating,
    PadShortcut,
    Projection,
    ShortcutOnlyGating,
    residual_units,
)
from residua.registry import build, model_spec

ORDERS = ("original", "bn_after_addition", "relu_before_addition", "relu_only_preact", "full_preact")


def _tiny(**changes):
    torch.manual_seed(0)
    model = build(model_spec("cifar_resnet14", widths=[4, 6, 8], **changes))
    for norm in model.modules():  # norms that start as the identity would hide a wrong order
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.3)
            nn.init.uniform_(norm.running_var, 0.5, 2)
            nn.init.normal_(norm.running_mean, std=0.3)
    return model.eval()


def _figure_4(order, unit, x):
    """He et al. 2016, Figure 4, from left to right."""
    b, relu = unit.branch, torch.relu
    if order == "original":
        return relu(x + b.norm2(b.conv2(relu(b.norm1(b.conv1(x))))))
    if order == "bn_after_addition":
        return relu(unit.activation.norm(x + b.conv2(relu(b.norm1(b.conv1(x))))))
    if order == "relu_before_addition":
        return x + relu(b.norm2(b.conv2(relu(b.norm1(b.conv1(x))))))
    if order == "relu_only_preact":
        return x + b.norm2(b.conv2(relu(b.norm1(b.conv1(relu(x))))))
    return x + b.conv2(relu(b.norm2(b.conv1(relu(b.norm1(x))))))


@pytest.mark.parametrize("order", ORDERS)
def test_a_unit_of_each_order_is_figure_4(order):
    unit = _tiny(order=order).stages[0][1]
    x = torch.randn(2, 4, 8, 8)
    assert torch.allclose(unit(x), _figure_4(order, unit, x), atol=1e-5)


@pytest.mark.parametrize("order", ORDERS)
def test_first_unit_tail_and_projections_of_each_order(order):
    model = _tiny(order=order, shortcut="B")
    x = torch.randn(2, 3, 16, 16)
    stem, first, projecting = model.stem(x), model.stages[0][0], model.stages[1][0]
    preact = order in ("relu_only_preact", "full_preact")
    # the stem's activation stands before the split into two paths: the first branch starts with its convolution
    assert isinstance(next(iter(first.branch)), nn.Conv2d)
    # the last unit is followed by one more activation, and only where units do not end with one
    assert isinstance(model.tail, nn.Identity) == (not preact)
    maps = model.stages(stem)
    extra = {"relu_only_preact": torch.relu, "full_preact": lambda m: torch.relu(model.tail[0](m))}
    assert torch.allclose(model.forward_features(x), extra.get(order, lambda m: m)(maps))
    # a projection has a norm where the branch's end has one, and sees the shared pre-activation
    assert isinstance(projecting, Chain) == preact
    unit = projecting.unit if preact else projecting
    assert isinstance(unit.shortcut, Projection)
    has_norm = any(isinstance(m, nn.BatchNorm2d) for m in unit.shortcut)
    assert has_norm == (order in ("original", "relu_before_addition", "relu_only_preact"))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("unit", ["basic", "bottleneck"])
def test_orders_have_the_same_convolutions_and_train(order, unit):
    spec = ResNetSpec(unit=unit, depths=(2, 2), widths=(4, 6), stem="cifar", order=order, num_classes=3)
    model, original = build(spec), build(spec.change(order="original"))
    count = lambda net: sum(p.numel() for p in net.parameters() if p.ndim > 1)  # noqa: E731
    assert count(model) == count(original)
    model(torch.randn(4, 3, 8, 8)).logsumexp(1).sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in model.parameters())


VARIANTS = {
    "half_shortcut": (ConstantScaling, nn.Identity, PadShortcut),
    "constant_scaling": (ConstantScaling, nn.Identity, PadShortcut),
    "exclusive_gating": (ExclusiveGating, nn.Identity, PadShortcut),
    "shortcut_only_gating": (ShortcutOnlyGating, nn.Identity, PadShortcut),
    "conv_shortcut": (Add, Projection, Projection),
    "dropout_shortcut": (Add, DropoutShortcut, DropoutShortcut),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_six_shortcuts_of_he_2016_stand_in_every_unit(variant):
    model = build(model_spec(f"cifar_resnet14_{variant}", widths=[4, 6, 8]))
    merge, same, changing = VARIANTS[variant]
    for name, unit in residual_units(model).items():
        assert type(unit.merge) is merge, name
        assert type(unit.shortcut) is (changing if name in ("stages.1.0", "stages.2.0") else same), name
    model(torch.randn(4, 3, 8, 8)).logsumexp(1).sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in model.parameters())


def test_scales_and_the_gates_bias_come_from_the_spec():
    half = residual_units(build(model_spec("cifar_resnet8_half_shortcut")))["stages.0.0"].merge
    assert (half.shortcut_scale, half.branch_scale) == (0.5, 1.0)
    gated = residual_units(build(model_spec("cifar_resnet8_exclusive_gating", gate_bias=-7.0)))
    assert all(bool((unit.merge.gate.bias == -7).all()) for unit in gated.values())


@pytest.mark.parametrize("variant", [*VARIANTS, "stochastic_depth"])
def test_a_unit_whose_branch_is_zero_is_its_lesion(variant):
    model = build(model_spec(f"cifar_resnet8_{variant}", widths=[4, 6, 8], zero_init=True)).eval()
    for unit in residual_units(model).values():
        channels = next(m for m in unit.branch if isinstance(m, nn.Conv2d)).in_channels
        x = torch.randn(2, channels, 6, 6).relu()
        lesion = unit.activation(unit.merge.without_branch(x, unit.shortcut(x)))
        assert torch.allclose(unit(x), lesion, atol=1e-6)


def test_a_dropout_shortcut_drops_half_of_the_identity_while_training_only():
    unit = residual_units(build(model_spec("cifar_resnet14_dropout_shortcut")))["stages.0.1"]
    x = torch.ones(4, 16, 16, 16)
    torch.manual_seed(0)
    kept = unit.shortcut(x)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert float(kept.mean()) == pytest.approx(1, abs=0.05)
    assert torch.equal(unit.eval().shortcut(x), x)


def test_stochastic_depth_by_name_is_huangs():
    spec = model_spec("cifar_resnet110_stochastic_depth")
    assert (spec.drop_path.rate, spec.drop_path.rule, spec.drop_path.mode) == (0.5, "linear", "batch")


@pytest.mark.parametrize("variant", ["stochastic_depth", "exclusive_gating", "dropout_shortcut"])
def test_at_test_time_a_branch_is_scaled_by_its_survival_probability(variant):
    """Huang et al. 2016, eq. 5: the unit with p * branch, whatever joins them."""
    spec = model_spec(f"cifar_resnet8_{variant}", drop_path=0.5, drop_path_mode="batch")
    units = residual_units(build(spec).eval())
    assert [unit.drop_path.rate for unit in units.values()] == pytest.approx([0.5 / 3, 1 / 3, 0.5])
    unit = units["stages.2.0"]
    x = torch.randn(2, 32, 8, 8).relu()
    expected = torch.relu(unit.merge(x, unit.shortcut(x), unit.branch(x) / 2))
    assert torch.allclose(unit(x), expected, atol=1e-6)


def test_a_batch_that_skips_a_gated_unit_still_gates_its_shortcut():
    model = build(model_spec("cifar_resnet8_exclusive_gating", drop_path=0.999, drop_path_mode="batch"))
    unit = residual_units(model)["stages.2.0"]
    torch.manual_seed(0)
    x = torch.randn(2, 32, 8, 8).relu()
    unit(x).sum().backward()
    assert all(p.grad is None for p in unit.branch.parameters())
    assert all(p.grad is not None for p in unit.merge.parameters())

"""Squeeze-and-excitation on any unit: what the unit around another one knows of it."""

import pytest
import torch

from residua.description import describe
from residua.errors import UsageError
from residua.nn import residual_units
from residua.registry import build, model_spec


def _count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_squeeze_and_excitation_on_any_unit_keeps_depth_zero_start_and_dropout():
    spec = model_spec("cifar_resnet20", unit="squeezed", zero_init=True)
    assert spec.depth == 20
    network = build(spec)
    gates = sum(_count(unit.branch.gate) for unit in residual_units(network).values())
    assert _count(network) == _count(build(model_spec("cifar_resnet20"))) + gates
    described = describe(spec)
    assert (described.depth, described.counted.parameters) == (20, _count(network))
    assert "18 layers of gates do not count" in str(described)
    for unit in residual_units(network).values():
        x = torch.randn(2, unit.branch.branch.conv1.in_channels, 8, 8)
        assert not unit.branch(x).any(), "the branch starts at zero"
        assert unit.branch.gate.fc2.weight.any(), "its gate does not"
    with pytest.raises(UsageError, match=r"no key 'dropout'; 'of' has: of\.dropout"):
        model_spec("cifar_resnet20", unit="squeezed(dropout=0.3)")
    inside = build(model_spec("cifar_resnet20", unit="squeezed", **{"unit.of.dropout": 0.3}))
    assert all(unit.branch.branch.dropout.p == 0.3 for unit in residual_units(inside).values())
    wrapped = model_spec("resnext_tiny", unit="squeezed(bottleneck(cardinality=4, path_width=4))")
    assert wrapped.depth == model_spec("resnext_tiny").depth
    assert residual_units(build(wrapped))["stages.0.0"].branch.branch.conv2.groups == 4

import pytest
import torch
from torch import nn

from residua.nn import (
    Add,
    ConstantScaling,
    ExclusiveGating,
    Gate,
    Residual,
    ShortcutOnlyGating,
    he_init,
    residual_units,
)

MERGES = {
    "add": Add,
    "half shortcut": lambda: ConstantScaling(0.5, 1.0),
    "half of both": ConstantScaling,
    "exclusive": lambda: ExclusiveGating(Gate(4, 4, bias=-1.0)),
    "shortcut only": lambda: ShortcutOnlyGating(Gate(4, 4, bias=-1.0)),
}


def _by_hand(name, merge, x, shortcut, branch):
    """He et al. 2016, Table 1: what stands on the shortcut and on F."""
    if name == "add":
        return shortcut + branch
    if name == "half shortcut":
        return shortcut / 2 + branch
    if name == "half of both":
        return (shortcut + branch) / 2
    conv = merge.gate.conv
    g = torch.sigmoid(torch.einsum("oc,nchw->nohw", conv.weight[:, :, 0, 0], x) - 1)
    return (1 - g) * shortcut + (g * branch if name == "exclusive" else branch)


@pytest.mark.parametrize("name", MERGES)
def test_a_merge_computes_what_table_1_says_and_its_lesion_is_a_zero_branch(name):
    merge = MERGES[name]()
    x, shortcut, branch = torch.randn(3, 2, 4, 5, 5)
    assert torch.allclose(merge(x, shortcut, branch), _by_hand(name, merge, x, shortcut, branch), atol=1e-6)
    lesion = merge.without_branch(x, shortcut)
    assert torch.allclose(lesion, merge(x, shortcut, torch.zeros_like(branch)), atol=1e-6)


def test_the_gate_is_of_the_units_input_not_of_its_shortcut():
    gate = Gate(2, 4, 2)
    unit = Residual(nn.Conv2d(2, 4, 3, 2, 1), nn.Conv2d(2, 4, 1, 2), merge=ShortcutOnlyGating(gate))
    x = torch.randn(1, 2, 7, 7)
    expected = (1 - gate(x)) * unit.shortcut(x) + unit.branch(x)
    assert torch.allclose(unit(x), expected, atol=1e-6)
    assert gate(x).shape == (1, 4, 4, 4)


def test_a_gate_starts_at_its_bias_and_initialisation_leaves_it_there():
    gate = Gate(3, 5, bias=-6.0)
    nn.init.zeros_(gate.conv.weight)
    expected = torch.sigmoid(torch.tensor(-6.0)).expand(1, 5, 2, 2)
    assert torch.allclose(gate(torch.randn(1, 3, 2, 2)), expected)
    he_init(nn.Sequential(gate))
    assert torch.equal(gate.bias.detach(), torch.full((5,), -6.0))
    assert float(gate.conv.weight.detach().std()) > 0


def test_a_gated_units_parameters_are_found_with_its_merge():
    unit = Residual(nn.Conv2d(4, 4, 3, padding=1), merge=ExclusiveGating(Gate(4, 4)))
    assert list(residual_units(nn.Sequential(unit))) == ["0"]
    assert {n for n, _ in unit.merge.named_parameters()} == {"gate.bias", "gate.conv.weight"}

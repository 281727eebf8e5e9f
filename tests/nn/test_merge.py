import pytest
import torch
from torch import nn

from residua.nn import Add, ConstantScaling, ExclusiveGating, Gate, Residual, ShortcutOnlyGating
from residua.nn.hyper import HyperConnection
from residua.nn.merge import Sum
from residua.nn.scale import ScaledBranch
from residua.nn.stream_weights import stream_weights

SUMS = {
    "add": Add,
    "constant": lambda: ConstantScaling(0.5, 0.3),
    "exclusive": lambda: ExclusiveGating(Gate(4, 4, bias=-1.0)),
    "shortcut only": lambda: ShortcutOnlyGating(Gate(4, 4, bias=-1.0)),
    "one number": lambda: ScaledBranch(start=0.3),
    "a number a channel": lambda: ScaledBranch(4, start=0.3),
    "static streams": lambda: HyperConnection(2, **stream_weights("static", 2, 4)),
    "constrained streams": lambda: HyperConnection(2, **stream_weights("constrained", 2, 4)),
}


@pytest.mark.parametrize("name", SUMS)
def test_a_sum_is_its_lesion_and_a_contribution_that_is_linear_in_the_branch(name):
    merge = SUMS[name]()
    assert isinstance(merge, Sum)
    x, shortcut = torch.randn(2, 2 * merge.streams, 4, 5, 5)
    branch = torch.randn(2, 4, 5, 5)
    contribution = merge.contribution(x, shortcut, branch)
    assert contribution.shape == shortcut.shape
    assert torch.allclose(merge(x, shortcut, branch), merge.without_branch(x, shortcut) + contribution)
    assert torch.allclose(merge.contribution(x, shortcut, 3 * branch), 3 * contribution, atol=1e-6)


@pytest.mark.parametrize("merge", [ScaledBranch(), ScaledBranch(4)])
def test_a_branch_behind_a_gain_of_zero_starts_as_the_identity_and_learns(merge):
    unit = Residual(nn.Conv2d(4, 4, 3, padding=1), merge=merge)
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(unit(x), x)
    unit(x).square().sum().backward()
    assert merge.gain.shape == (() if merge.channels is None else (4,))
    assert bool(merge.gain.grad.any()) and not unit.branch.weight.grad.any()


@pytest.mark.parametrize(("axis", "shape"), [(1, (2, 4, 3, 5)), (1, (2, 4, 3, 5, 2)), (-1, (2, 7, 4))])
def test_a_gain_is_of_a_channel_wherever_the_channels_stand(axis, shape):
    merge = ScaledBranch(4, axis=axis)
    nn.init.normal_(merge.gain)
    shortcut, branch = torch.randn(2, *shape)
    got = merge(shortcut, shortcut, branch)
    for channel, gain in enumerate(merge.gain):
        expected = shortcut.select(axis, channel) + gain * branch.select(axis, channel)
        assert torch.equal(got.select(axis, channel), expected)
    assert got.stride() == branch.stride()

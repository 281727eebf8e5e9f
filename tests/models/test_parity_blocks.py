"""Blocks beside timm's, with its weights."""

import pytest
import torch
from torch import nn

from residua.nn import Residual
from residua.nn.convnext import ChannelNorm, inverted_branch
from residua.nn.scale import ScaledBranch
from residua.nn.squeeze import SqueezeExcite


def copied(source, target):
    """``target`` with the tensors of ``source``, in order; a fully connected layer is a 1x1 convolution."""
    names, values = list(target.state_dict()), source.state_dict().values()
    shapes = [value.shape for value in target.state_dict().values()]
    tensors = [value.reshape(shape) for value, shape in zip(values, shapes, strict=True)]
    target.load_state_dict(dict(zip(names, tensors, strict=True)))
    return target


@pytest.mark.parametrize("channels", [16, 64, 200, 256, 2048])
def test_the_gate_is_timms(peers, channels):
    from timm.layers import SEModule

    theirs = SEModule(channels, rd_ratio=1 / 16)
    ours = copied(theirs, SqueezeExcite(channels))
    x = torch.randn(2, channels, 3, 3)
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize("conv_mlp", [True, False])
def test_a_convnext_unit_is_timms(peers, conv_mlp):
    from timm.models.convnext import ConvNeXtBlock

    theirs = ConvNeXtBlock(12, conv_mlp=conv_mlp, ls_init_value=0.3).double()
    gamma = theirs.gamma
    del theirs.gamma
    branch = copied(theirs, inverted_branch(12).double())
    theirs.gamma = gamma
    unit = Residual(branch, merge=ScaledBranch(12, start=0.3).double())
    x = torch.randn(2, 12, 9, 9, dtype=torch.float64)
    assert torch.allclose(unit(x), theirs(x), rtol=1e-12, atol=1e-12)


def test_a_norm_over_channels_is_of_each_pixel():
    norm = ChannelNorm(5)
    nn.init.normal_(norm.weight)
    x = torch.randn(2, 5, 3, 4)
    centred = x - x.mean(1, keepdim=True)
    expected = centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt() * norm.weight[:, None, None]
    assert torch.allclose(norm(x), expected, atol=1e-6)

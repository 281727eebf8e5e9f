import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residua.nn import BasicBlock, Bottleneck, Projection


def _norm(norm, x):
    return F.batch_norm(x, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)


def test_a_basic_block_computes_the_papers_equation():
    block = BasicBlock(4, 6, stride=2)
    x = torch.randn(3, 4, 7, 7)
    branch, shortcut = block.branch, block.shortcut
    f = torch.relu(_norm(branch.norm1, F.conv2d(x, branch.conv1.weight, stride=2, padding=1)))
    f = _norm(branch.norm2, F.conv2d(f, branch.conv2.weight, padding=1))
    s = _norm(shortcut.norm, F.conv2d(x, shortcut.conv.weight, stride=2))
    assert torch.allclose(block(x), torch.relu(f + s), atol=1e-6)


def test_a_bottleneck_computes_the_papers_equation_with_the_stride_on_the_3x3():
    block = Bottleneck(8, 2, stride=2)
    x = torch.randn(3, 8, 6, 6)
    b, s = block.branch, block.shortcut
    f = torch.relu(_norm(b.norm1, F.conv2d(x, b.conv1.weight)))
    f = torch.relu(_norm(b.norm2, F.conv2d(f, b.conv2.weight, stride=2, padding=1)))
    f = _norm(b.norm3, F.conv2d(f, b.conv3.weight))
    expected = torch.relu(f + _norm(s.norm, F.conv2d(x, s.conv.weight, stride=2)))
    assert torch.allclose(block(x), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("block", "shape"),
    [
        (BasicBlock(4, 4), (2, 4, 9, 5)),
        (BasicBlock(4, 8, stride=2), (2, 8, 5, 3)),
        (Bottleneck(4, 2), (2, 8, 9, 5)),
        (Bottleneck(4, 3, stride=2, expansion=2), (2, 6, 5, 3)),
    ],
)
def test_blocks_work_alone_and_give_these_shapes(block, shape):
    assert block(torch.randn(2, 4, 9, 5)).shape == shape


@pytest.mark.parametrize("block", [BasicBlock(8, 8, stride=2), Bottleneck(8, 2, stride=2)])
def test_a_block_of_stride_2_projects_even_if_its_channels_stay(block):
    assert isinstance(block.shortcut, Projection)


@pytest.mark.parametrize("block", [BasicBlock(8, 8), Bottleneck(8, 2)])
def test_a_block_that_keeps_the_shape_has_an_identity_shortcut(block):
    assert isinstance(block.shortcut, nn.Identity)
    assert not list(block.shortcut.parameters())

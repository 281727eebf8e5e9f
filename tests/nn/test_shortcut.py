from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from residua import parts
from residua.errors import UsageError
from residua.models.norms import BatchNormSpec
from residua.nn import PadShortcut, Projection, Residual, basic_layers, conv_branch


def _shortcut(kind: str, in_channels: int, out_channels: int, stride: int) -> Any:
    spec = parts.find("shortcut", kind)()
    return spec.build(in_channels, out_channels, stride, norm=BatchNormSpec())


def _by_hand(x: torch.Tensor, out_channels: int, stride: int, before: int) -> torch.Tensor:
    """Option A, pixel by pixel."""
    n, c, h, w = x.shape
    y = torch.zeros(n, out_channels, -(-h // stride), -(-w // stride))
    for i in range(0, h, stride):
        for j in range(0, w, stride):
            y[:, before : before + c, i // stride, j // stride] = x[:, :, i, j]
    return y


@given(
    channels=st.integers(1, 4),
    extra=st.integers(0, 5),
    stride=st.integers(1, 3),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    split=st.booleans(),
)
def test_option_a_subsamples_and_pads_exactly(channels, extra, stride, height, width, split):
    x = torch.randn(2, channels, height, width)
    shortcut = PadShortcut(channels, channels + extra, stride, split=split)
    assert torch.equal(shortcut(x), _by_hand(x, channels + extra, stride, extra // 2 if split else 0))
    assert not list(shortcut.parameters())


def test_option_a_cannot_take_channels_away():
    with pytest.raises(UsageError, match="cannot go from 8 to 4; use option B"):
        PadShortcut(8, 4)


@pytest.mark.parametrize(
    ("option", "channels", "stride", "kind"),
    [
        ("A", (4, 4), 1, nn.Identity),
        ("A", (4, 4), 2, PadShortcut),
        ("A", (4, 8), 1, PadShortcut),
        ("A-split", (4, 8), 2, PadShortcut),
        ("B", (4, 4), 1, nn.Identity),
        ("B", (4, 4), 2, Projection),
        ("B", (4, 8), 1, Projection),
        ("C", (4, 4), 1, Projection),
        ("C", (4, 8), 2, Projection),
        ("D", (4, 4), 1, nn.Identity),
        ("D", (4, 8), 2, Projection),
        ("identity", (4, 4), 1, nn.Identity),
    ],
)
def test_each_option_is_used_where_the_paper_says(option, channels, stride, kind):
    assert type(_shortcut(option, *channels, stride)) is kind


def test_only_split_puts_zeros_before():
    assert (_shortcut("A", 4, 9, 2).before, _shortcut("A-split", 4, 9, 2).before) == (0, 2)


SHORTCUTS = [("A", 4, 1), ("A", 8, 2), ("A-split", 8, 2), ("B", 8, 2), ("B", 4, 2), ("C", 4, 1)]


@pytest.mark.parametrize(("option", "out", "stride"), SHORTCUTS)
def test_a_gradient_reaches_the_input_through_every_shortcut_alone(option, out, stride):
    unit = Residual(
        conv_branch(basic_layers(out, stride), 4), _shortcut(option, 4, out, stride), activation=nn.ReLU()
    )
    for parameter in unit.branch.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(3, 4, 6, 6, requires_grad=True)
    weights = torch.randn(3, out, -(-6 // stride), -(-6 // stride))
    (got,) = torch.autograd.grad((unit(x) * weights).sum(), x)
    (alone,) = torch.autograd.grad((torch.relu(unit.shortcut(x)) * weights).sum(), x)
    assert bool((got != 0).any())
    assert torch.allclose(got, alone, atol=1e-6), (
        "with a zero branch the gradient is the shortcut's, nothing else"
    )


def test_the_gradient_of_option_a_is_that_of_the_pixels_it_takes():
    x = torch.randn(1, 2, 5, 5, requires_grad=True)
    PadShortcut(2, 6, 2)(x).sum().backward()
    taken = torch.zeros(5, 5)
    taken[::2, ::2] = 1
    assert x.grad is not None
    assert torch.equal(x.grad, taken.expand(1, 2, 5, 5))

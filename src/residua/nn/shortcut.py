"""Shortcuts: where a unit changes shape (He et al. 2015, sec. 3.3 and 4.1: options A, B, C), and impeded by dropout."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.errors import UsageError


class PadShortcut(nn.Module):
    """Option A: subsample every ``stride``-th pixel, then append zero channels; no parameters.

    ``split`` puts the zeros on both sides (half before, half after), as one widely used peer does.
    Shapes: ``(N, C, H, W)`` to ``(N, C', ceil(H / stride), ceil(W / stride))``, and volumes alike.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, *, split: bool = False) -> None:
        super().__init__()
        if out_channels < in_channels:
            raise UsageError(
                f"shortcut option A pads channels and cannot go from {in_channels} to {out_channels}; use option B"
            )
        extra = out_channels - in_channels
        self.before = extra // 2 if split else 0
        self.after = extra - self.before
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Subsample and pad."""
        return _subsample_and_pad(x, self.stride, self.before, self.after)

    def extra_repr(self) -> str:  # noqa: D102
        return f"stride={self.stride}, zeros={self.before}+{self.after}"


@torch.fx.wrap  # recorded as one call: where to index depends on the number of dimensions
def _subsample_and_pad(x: Tensor, stride: int, before: int, after: int) -> Tensor:
    # indexing, not pooling: identity values travel, and their gradient with them
    places = (slice(None), slice(None)) + (slice(None, None, stride),) * (x.ndim - 2)
    return F.pad(x[places], (0, 0) * (x.ndim - 2) + (before, after))


class Projection(nn.Sequential):
    """A strided 1x1 convolution, with a norm where the unit has the original order (options B and C).

    A strided 1x1 ignores three of four pixels. With ``pool`` an average pooling takes the stride and all pixels count
    (He et al. 2019, *Bag of Tricks*, Figure 2c: ResNet-D).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        norm: Callable[[int], nn.Module] | None = nn.BatchNorm2d,
        pool: bool = False,
    ) -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        if pool and stride > 1:
            parts["pool"] = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)
            stride = 1
        parts["conv"] = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        if norm is not None:
            parts["norm"] = norm(out_channels)
        super().__init__(parts)


class DropoutShortcut(nn.Sequential):
    """Option A, then a dropout of half of the values (He et al. 2016, sec. 3.1 and Figure 2f)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, *, rate: float = 0.5) -> None:
        super().__init__(
            OrderedDict(identity=pad_shortcut(in_channels, out_channels, stride), dropout=nn.Dropout(rate))
        )


def pad_shortcut(
    in_channels: int, out_channels: int, stride: int = 1, *, split: bool = False
) -> nn.Identity | PadShortcut:
    """Option A of a unit: the identity where the shape stays, padding where it changes."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return PadShortcut(in_channels, out_channels, stride, split=split)

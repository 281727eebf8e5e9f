"""The parts of a ConvNeXt (Liu et al. 2022, Figure 4), whose convolutions all have biases."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn

from residua.nn.head import GlobalPool, PoolHead

EPS = 1e-6


class ChannelNorm(nn.LayerNorm):
    """A layer norm over the channels of each pixel; ``(N, C, H, W)`` in and out."""

    def __init__(self, channels: int, eps: float = EPS) -> None:
        super().__init__(channels, eps)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise."""
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


class PatchifyStem(nn.Sequential):
    """A convolution of patches that do not overlap, and a norm: ``(N, C, H, W)`` to ``H/patch, W/patch`` (sec. 2.2)."""

    def __init__(self, in_channels: int, width: int, patch: int = 4) -> None:
        conv = nn.Conv2d(in_channels, width, patch, patch)
        super().__init__(OrderedDict(conv=conv, norm=ChannelNorm(width)))


def inverted_branch(
    width: int,
    kernel: int = 7,
    expansion: int = 4,
    *,
    norm: Callable[[int], nn.Module] = ChannelNorm,
    act: Callable[[], nn.Module] = nn.GELU,
) -> nn.Sequential:
    """Depthwise 7x7, norm, 1x1 to ``expansion * width`` channels, GELU, 1x1: the branch of a unit (sec. 2.4 to 2.6)."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width),
            norm=norm(width),
            fc1=nn.Conv2d(width, expansion * width, 1),
            act=act(),
            fc2=nn.Conv2d(expansion * width, width, 1),
        )
    )


def downsampling(in_channels: int, out_channels: int) -> nn.Sequential:
    """Between two stages: norm, 2x2 convolution with stride 2 (sec. 2.6, "separate downsampling layers")."""
    conv = nn.Conv2d(in_channels, out_channels, 2, 2)
    return nn.Sequential(OrderedDict(norm=ChannelNorm(in_channels), conv=conv))


def normed_head(channels: int, num_classes: int) -> PoolHead:
    """Global average pooling, layer norm, one fully connected layer."""
    pool: OrderedDict[str, nn.Module] = OrderedDict(pool=GlobalPool(), norm=nn.LayerNorm(channels, EPS))
    return PoolHead(channels, num_classes, nn.Sequential(pool))


def convnext_init(model: nn.Module) -> None:
    """Weights from a normal distribution of deviation 0.02, biases zero (Liu et al. 2022, Table 5)."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

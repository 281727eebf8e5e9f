"""ResNets as most training scripts have them: plain PyTorch, nothing of residua, torchvision or timm."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

CIFAR = {20: 3, 56: 9, 110: 18}  # depth: blocks of each of three stages
IMAGENET = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}  # depth: blocks of four stages


class Block(nn.Module):
    """Two 3x3 convolutions, or three with ``expansion`` 4, and a projection where the shape changes (option B)."""

    def __init__(self, before: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        after = width * expansion
        if expansion == 1:
            self.convs = nn.ModuleList([conv(before, width, 3, stride), conv(width, width, 3)])
        else:
            layers = [conv(before, width, 1), conv(width, width, 3, stride), conv(width, after, 1)]
            self.convs = nn.ModuleList(layers)
        self.down = conv(before, after, 1, stride) if stride != 1 or before != after else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) to (N, C', H', W')."""
        y = x
        for layer in self.convs[:-1]:
            y = F.relu(layer(y))
        return F.relu(self.convs[-1](y) + self.down(x))


def conv(before: int, after: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution and its batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(after)
    )


def plain_resnet(depth: int, classes: int) -> nn.Sequential:
    """A ResNet of He et al. 2015: of CIFAR's depths (sec. 4.2, with option B) or of ImageNet's (Table 1)."""
    if depth in CIFAR:
        stem: list[nn.Module] = [conv(3, 16, 3), nn.ReLU()]
        widths, counts, expansion, channels = (16, 32, 64), (CIFAR[depth],) * 3, 1, 16
    else:
        stem = [conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        widths, counts, channels = (64, 128, 256, 512), IMAGENET[depth], 64
        expansion = 4 if depth == 50 else 1
    blocks: list[nn.Module] = []
    for number, (width, count) in enumerate(zip(widths, counts, strict=True)):
        for index in range(count):
            blocks.append(Block(channels, width, 2 if number and not index else 1, expansion))
            channels = width * expansion
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))

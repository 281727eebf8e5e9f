"""What stands before the first stage."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


class ImageNetStem(nn.Sequential):
    """7x7/2 convolution, norm, ReLU, 3x3/2 max-pool (He et al. 2015, Table 1): ``(N, C, H, W)`` to ``H/4, W/4``.

    ``pool_padding=0`` is a variant of popular write-ups: it makes 55x55 maps of 224x224 images, not 56x56.
    """

    reduction = 4

    def __init__(self, in_channels: int, width: int, *, pool_padding: int = 1) -> None:
        super().__init__(
            OrderedDict(
                conv=nn.Conv2d(in_channels, width, 7, 2, padding=3, bias=False),
                norm=nn.BatchNorm2d(width),
                act=nn.ReLU(),
                pool=nn.MaxPool2d(3, 2, padding=pool_padding),
            )
        )


class PoolFirstStem(nn.Sequential):
    """The ImageNet stem whose pool stands before norm and ReLU, as in timm's pre-activation nets.

    The first unit's shared pre-activation is then the stem's norm and ReLU.
    """

    reduction = 4

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__(
            OrderedDict(
                conv=nn.Conv2d(in_channels, width, 7, 2, padding=3, bias=False),
                pool=nn.MaxPool2d(3, 2, padding=1),
                norm=nn.BatchNorm2d(width),
                act=nn.ReLU(),
            )
        )


class CifarStem(nn.Sequential):
    """3x3 convolution, norm, ReLU (He et al. 2015, sec. 4.2): the map keeps its size."""

    reduction = 1

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__(
            OrderedDict(
                conv=nn.Conv2d(in_channels, width, 3, padding=1, bias=False),
                norm=nn.BatchNorm2d(width),
                act=nn.ReLU(),
            )
        )


class BareCifarStem(nn.Sequential):
    """A 3x3 convolution alone (Zagoruyko & Komodakis 2016, Table 1): norm and ReLU are left to the first unit.

    The first identity shortcut of a pre-activation net then starts at the convolution itself.
    """

    reduction = 1

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__(OrderedDict(conv=nn.Conv2d(in_channels, width, 3, padding=1, bias=False)))


class ClipStem(nn.Sequential):
    """3x7x7 convolution with stride 1, 2, 2, norm, ReLU (Tran et al. 2018, Table 1): clips keep their length.

    ``(N, C, D, H, W)`` to ``D, H/2, W/2``.
    """

    reduction = 2

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__(
            OrderedDict(
                conv=nn.Conv3d(in_channels, width, (3, 7, 7), (1, 2, 2), padding=(1, 3, 3), bias=False),
                norm=nn.BatchNorm3d(width),
                act=nn.ReLU(),
            )
        )


class DeepStem(nn.Sequential):
    """Three 3x3 convolutions instead of one 7x7, then the max-pool (He et al. 2019, *Bag of Tricks*, Figure 2b).

    The first two have ``width // 2`` channels, the last ``width``. ``(N, C, H, W)`` to ``H/4, W/4``.
    """

    reduction = 4

    def __init__(self, in_channels: int, width: int) -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        channels = in_channels
        for index, (out_channels, stride) in enumerate(((width // 2, 2), (width // 2, 1), (width, 1)), 1):
            parts[f"conv{index}"] = nn.Conv2d(channels, out_channels, 3, stride, padding=1, bias=False)
            parts[f"norm{index}"] = nn.BatchNorm2d(out_channels)
            parts[f"act{index}"] = nn.ReLU()
            channels = out_channels
        parts["pool"] = nn.MaxPool2d(3, 2, padding=1)
        super().__init__(parts)

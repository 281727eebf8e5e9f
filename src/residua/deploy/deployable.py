"""A network as it is shipped: pixels go in, normalised inside; logits come out, and where the network looked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from residua.nn import GlobalPool, ImageClassifier

# what a head may do before its last layer, if its logits are to be means of a map over the pixels
_MEANS = (GlobalPool, nn.AdaptiveAvgPool2d, nn.Flatten, nn.Dropout, nn.Identity)


class Deployable(nn.Module):
    """``network((images / full - mean) / std)``, and the class-activation map of the top class.

    Args:
        network: any network of images; set to evaluation mode.
        mean: a number a channel, of images scaled to [0, 1].
        std: likewise.
        full: what stands for 1 in the images: 255 of uint8.

    Images are (N, C, H, W), or (N, C, D, H, W) of volumes. ``outputs`` names what comes out, in order.
    """

    network: Any
    scale: Tensor
    offset: Tensor

    def __init__(
        self, network: nn.Module, mean: Sequence[float], std: Sequence[float], *, full: float = 255.0
    ) -> None:
        super().__init__()
        self.network = network.eval()
        dims = (1, -1, *[1] * (3 if getattr(network, "dims", 2) == 3 else 2))
        scale = torch.tensor([1 / (full * s) for s in std], dtype=torch.float64)
        offset = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], dtype=torch.float64)
        self.register_buffer("scale", scale.float().view(dims))
        self.register_buffer("offset", offset.float().view(dims))
        self.outputs: dict[str, tuple[str, ...]] = {"logits": ("N", "K")}
        if maps_classes(network):
            self.outputs["cam"] = ("N", "h", "w")

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The outputs, of the type of the normalisation, whatever that of the network's parameters is."""
        kind = self.scale.dtype
        x = (images.to(kind) * self.scale + self.offset).to(next(self.network.parameters()).dtype)
        if "cam" not in self.outputs:
            return (self.network(x).to(kind),)
        features = self.network.forward_features(x)  # (N, C, h, w)
        logits = self.network.forward_head(features).to(kind)
        rows = self.network.head.fc.weight[logits.argmax(1)]  # (N, C)
        return logits, (features * rows[:, :, None, None]).sum(1).to(kind)


def maps_classes(network: nn.Module) -> bool:
    """Whether the logits of a network are means over the pixels of one map each, but for a bias."""
    if not isinstance(network, ImageClassifier) or network.dims != 2 or not network.num_classes:
        return False
    pool = network.head.pool
    parts = list(pool.children()) if isinstance(pool, nn.Sequential) else [pool]
    whole = all(part.output_size in (1, (1, 1)) for part in parts if isinstance(part, nn.AdaptiveAvgPool2d))
    return whole and all(isinstance(part, _MEANS) for part in parts)

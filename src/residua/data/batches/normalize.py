"""From pixels to what a network takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from residua.nn import suited


def normalize(
    images: torch.Tensor,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.channels_last,
) -> torch.Tensor:
    """uint8 (B, C, H, W) to ``(images / 255 - mean) / std``, computed in float32; ``mean`` and ``std`` per channel.

    Volumes are (B, C, D, H, W). What is not uint8 is taken as it is, without the 255; float64, such as the rows of a
    table (B, C), is computed in float64. ``memory_format`` is that of images; volumes get what corresponds to it.
    """
    computed = torch.float64 if images.dtype == torch.float64 else torch.float32
    shape, like = images.shape[1:], {"dtype": computed, "device": images.device}
    full = 255 if images.dtype == torch.uint8 else 1
    memory_format = suited(memory_format, images.ndim)
    # Spread over the whole image, so that the arithmetic runs along memory: a broadcast over channels is 3x slower.
    scale, offset = (
        torch.tensor(values, **like)
        .view(1, -1, *[1] * (len(shape) - 1))
        .expand(1, *shape)
        .contiguous(memory_format=memory_format)
        for values in ([1 / (full * s) for s in std], [-m / s for m, s in zip(mean, std, strict=True)])
    )
    values = images.to(computed, memory_format=memory_format, copy=True)
    return values.mul_(scale).add_(offset).to(dtype)

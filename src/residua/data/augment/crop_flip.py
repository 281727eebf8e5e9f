"""Augmentation of whole batches, on the device where they are, without a loop over images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from residua.data.batches.keyed import generator
from residua.nn import suited


def crop_flip(images: torch.Tensor, *, pad: int, flip: bool, seed: int, step: int) -> torch.Tensor:
    """Pad with zeros, crop at random to the old size, and mirror every second image (He et al. 2015, sec. 4.2).

    Takes and returns uint8 (B, C, H, W), in channels_last memory. What happens to image i of the batch is a function
    of ``seed``, ``step``, i and B alone. ``pad`` in pixels; 0 leaves out the crop, ``flip=False`` the mirror. Of clips
    and volumes (B, C, D, H, W) all slices move together; of other numbers than uint8, zeros are padded all the same.
    """
    if not pad and not flip:
        return images
    if images.ndim > 4:
        slices = crop_flip(images.flatten(1, -3), pad=pad, flip=flip, seed=seed, step=step)
        return slices.unflatten(1, images.shape[1:-2])
    count, channels, height, width = images.shape
    random = generator(seed, "crop and flip", step)
    shifts, mirror = random.integers(0, 2 * pad + 1, (2, count, 1)), random.random(count) < 0.5
    pixels = images.permute(0, 2, 3, 1)  # (B, H, W, C): a row of pixels is one run of bytes
    if flip:
        turned = torch.from_numpy(np.flatnonzero(mirror)).to(images.device)
        pixels = pixels.index_copy(0, turned, pixels.index_select(0, turned).flip(2))
    if pad:
        padded = pixels.new_zeros(count, height + 2 * pad, width + 2 * pad, channels)
        padded[:, pad : pad + height, pad : pad + width] = pixels
        # Where each row of each crop begins, counted in pixels of the padded batch. Every run of W pixels is a row
        # of an overlapping view, so that the crop is one selection of rows: 15 microseconds where indexing takes 350.
        down, across = shifts
        top = np.arange(count)[:, None] * (height + 2 * pad) + down + np.arange(height)
        begin = torch.from_numpy((top * (width + 2 * pad) + across).ravel()).to(images.device)
        rows = padded.numel() // channels - width + 1
        runs = padded.as_strided((rows, width * channels), (channels, 1))
        pixels = runs.index_select(0, begin).view(count, height, width, channels)
    return pixels.permute(0, 3, 1, 2)


def normalize(
    images: torch.Tensor,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.channels_last,
) -> torch.Tensor:
    """uint8 (B, C, H, W) to ``(images / 255 - mean) / std``, computed in float32; ``mean`` and ``std`` per channel.

    Volumes are (B, C, D, H, W). What is not uint8 is taken as it is, without the 255. ``memory_format`` is that of
    images; volumes get what corresponds to it.
    """
    shape, like = images.shape[1:], {"dtype": torch.float32, "device": images.device}
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
    values = images.to(torch.float32, memory_format=memory_format, copy=True)
    return values.mul_(scale).add_(offset).to(dtype)

"""Changes of colours, of a whole batch at once and of each image by an amount of its own.

Images are uint8 (B, C, H, W), grey or RGB; amounts are numpy (B,). Each is Pillow's of the same name (ImageEnhance,
ImageOps), to the bit, because the field's augmentations were tuned with these; ``hue`` is exact, where Pillow rounds to
8 bits twice.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_GREY = (19595, 38470, 7471)  # of red, green and blue, in 65536ths (ITU-R 601-2)


def brightness(images: Tensor, factors: np.ndarray) -> Tensor:
    """Blended with black: 0 is black, 1 the image, above 1 brighter."""
    return _blended(torch.zeros_like(images), images, factors)


def contrast(images: Tensor, factors: np.ndarray) -> Tensor:
    """Blended with the mean of its grey levels: 0 is flat grey, 1 the image, above 1 more contrast."""
    mean = (_grey(images).double().mean((1, 2, 3), keepdim=True) + 0.5).byte()
    return _blended(mean, images, factors)


def color(images: Tensor, factors: np.ndarray) -> Tensor:
    """Blended with the grey image: 0 is grey, 1 the image, above 1 more saturated. Grey images stay as they are."""
    return images if images.shape[1] == 1 else _blended(_grey(images), images, factors)


def sharpness(images: Tensor, factors: np.ndarray) -> Tensor:
    """Blended with the image smoothed over 3 x 3 pixels: 0 is smooth, 1 the image, above 1 sharper; borders stay."""
    smooth = images.float()
    if min(images.shape[2:]) > 2:
        rows = smooth[:, :, :-2] + smooth[:, :, 1:-1] + smooth[:, :, 2:]
        total = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * smooth[..., 1:-1, 1:-1]
        smooth[..., 1:-1, 1:-1] = (total / 13).round()
    return _blended(smooth, images, factors)


def posterize(images: Tensor, bits: np.ndarray) -> Tensor:
    """Only the highest ``bits`` of each value, rounded, stay."""
    return images & _each(256 - 2 ** (8 - np.rint(bits).astype(np.int64)), images).byte()


def solarize(images: Tensor, thresholds: np.ndarray) -> Tensor:
    """Values from ``thresholds`` up are inverted."""
    return torch.where(images < _each(thresholds, images), images, 255 - images)


def invert(images: Tensor, amounts: np.ndarray) -> Tensor:
    """The negative; there is no amount of it."""
    return 255 - images


def autocontrast(images: Tensor, amounts: np.ndarray) -> Tensor:
    """Each channel stretched so that its lowest value is 0 and its highest 255; there is no amount of it."""
    least, most = (f((2, 3)).double().unsqueeze(2) for f in (images.amin, images.amax))  # (B, C, 1)
    scale = torch.full_like(least, 255) / (most - least)  # ``255 / tensor`` would round twice
    values = torch.arange(256, dtype=torch.float64, device=images.device)
    stretched = (values * scale + -least * scale).clamp(0, 255)
    return _looked_up(images, torch.where(most > least, stretched, values))


def equalize(images: Tensor, amounts: np.ndarray) -> Tensor:
    """Each channel mapped so that its values occur alike often; there is no amount of it."""
    count, channels, height, width = images.shape
    offsets = 256 * torch.arange(count * channels, device=images.device).view(count, channels, 1, 1)
    counts = torch.bincount((images + offsets).flatten(), minlength=256 * count * channels)
    counts = counts.view(count, channels, 256)
    highest = counts.gather(2, images.amax((2, 3)).long().unsqueeze(2))  # how often the highest value occurs
    step = (height * width - highest) // 255
    before = counts.cumsum(2) - counts
    equal = ((before + step // 2) // step.clamp(min=1)).clamp(max=255)
    return _looked_up(images, torch.where(step > 0, equal, torch.arange(256, device=images.device)))


def hue(images: Tensor, turns: np.ndarray) -> Tensor:
    """Colours moved around the circle of hues by a share of it, -0.5 to 0.5. Grey images stay as they are."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.float().unbind(1)
    value, least = images.amax(1).float(), images.amin(1).float()
    chroma = value - least
    some = chroma.clamp(min=1)
    sextant = torch.where(
        value == red,
        (green - blue) / some,
        torch.where(value == green, 2 + (blue - red) / some, 4 + (red - green) / some),
    )
    sextant = sextant + 6 * _each(turns, images)[:, 0]
    # the channel is at its highest for two sextants, at its lowest for two, and goes straight between them
    places = (torch.remainder(start + sextant, 6) for start in (5, 3, 1))
    mixed = [value - chroma * torch.minimum(place, 4 - place).clamp(0, 1) for place in places]
    return torch.stack(mixed, 1).round().byte()


def _each(amounts: np.ndarray, images: Tensor) -> Tensor:
    """An amount for each image, to be broadcast over its pixels."""
    return torch.from_numpy(amounts.astype(np.float32)).to(images.device).view(-1, 1, 1, 1)


def _blended(start: Tensor, images: Tensor, factors: np.ndarray) -> Tensor:
    """``start`` and what leads from it to the images, so many times; cut off to whole numbers from 0 to 255."""
    begin = start.float()
    return (images - begin).mul_(_each(factors, images)).add_(begin).clamp_(0, 255).byte()


def _grey(images: Tensor) -> Tensor:
    """Grey levels, uint8 (B, 1, H, W)."""
    if images.shape[1] == 1:
        return images
    red, green, blue = (share * channel for share, channel in zip(_GREY, images.int().unbind(1), strict=True))
    return ((red + green + blue + 0x8000) >> 16).byte().unsqueeze(1)


def _looked_up(images: Tensor, tables: Tensor) -> Tensor:
    """Each value replaced by what ``tables`` (B, C, 256) of its channel say, fractions cut off."""
    return tables.byte().gather(2, images.flatten(2).long()).view_as(images)

"""Which axis of an array of images holds the channels: told by the shape, or refused."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from residua.errors import UsageError

Layout = Literal["NHWC", "NCHW"]
CHANNELS = (1, 3)


def channels_last(images: Any, layout: Layout | None = None, *, square: bool = True) -> np.ndarray:
    """Images uint8 (N, H, W, C) of an array or a tensor (N, H, W), (N, H, W, C) or (N, C, H, W); a view where one does.

    Channels are 1 or 3, and of ``square`` images H is W: that tells the layout, or ``layout`` does. Raises UsageError
    for another type or shape, and for one that both layouts suit.
    """
    values = as_array(images)
    if values.dtype != np.uint8 or values.ndim not in (3, 4) or 0 in values.shape:
        raise UsageError(
            "images are uint8 (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels, not "
            f"{values.dtype} {values.shape}"
        )
    if values.ndim == 3:
        values, layout = values[..., None], "NHWC"
    if layout not in (None, "NHWC", "NCHW"):
        raise UsageError(f"a layout is 'NHWC' or 'NCHW', not {layout!r}")
    shape = values.shape
    sides: dict[str, tuple[int, int]] = {"NHWC": shape[1:3], "NCHW": shape[2:4]}
    channels: dict[str, int] = {"NHWC": shape[3], "NCHW": shape[1]}
    having = [name for name in sides if channels[name] in CHANNELS and layout in (None, name)]
    fitting = [name for name in having if not square or sides[name][0] == sides[name][1]]
    if not having:
        raise UsageError(
            f"images are uint8 {layout or '(N, H, W, C) or (N, C, H, W)'} with 1 or 3 channels, not {shape}"
        )
    if not fitting:
        height, width = sides[having[0]]
        raise UsageError(f"images are square, not {height}x{width}: give paths, or crop them")
    if len(fitting) > 1:
        raise UsageError(
            f"images {shape} may be NHWC or NCHW: say which, as in data_of((X, y), layout='NHWC')"
        )
    return values if fitting == ["NHWC"] else values.transpose(0, 2, 3, 1)


def as_array(values: Any) -> np.ndarray:
    """An array of what is one, or a tensor on any device, or can be made one. Raises UsageError."""
    import torch

    if isinstance(values, torch.Tensor):
        return values.detach().cpu().numpy()
    try:
        return np.asarray(values)
    except ValueError as error:
        raise UsageError(
            f"no array can be made of a {type(values).__name__} whose parts differ in shape"
        ) from error

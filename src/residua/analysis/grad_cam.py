"""Grad-CAM: which parts of an image speak for a class (Selvaraju et al. 2017, sec. 3).

Of the score y of the class, before the softmax, and the maps A_k of a layer: the weight of a map is the mean of its
gradient, ``a_k = mean over pixels of dy / dA_k`` (eq. 1), and the heat is ``ReLU(sum_k a_k A_k)`` (eq. 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.analysis.untouched import predicting, untouched
from residua.errors import UsageError, nearest
from residua.nn import residual_units

_HIDDEN = 0.25  # share of an image that the check hides


@dataclass(frozen=True, kw_only=True)
class Heat:
    """Heat ``(N, H, W)`` of the images' size, in [0, 1] each, for one class of each image."""

    layer: str
    heat: Tensor
    target: Tensor  # int64 (N,): the class that is explained
    probabilities: Tensor  # (N, K)


def grad_cam(model: nn.Module, images: Tensor, target: Tensor | None = None, *, layer: str = "") -> Heat:
    """Grad-CAM of ``images`` ``(N, C, H, W)`` for the classes ``target`` (int64 ``(N,)``; by default the likeliest).

    ``layer`` names the module whose maps ``(N, K, h, w)`` are weighed: by default the last residual unit that gives
    maps, and in a network without any the last convolution. Heat is brought to the images' size (bilinear), and each
    image's largest to 1; an image in which nothing speaks for the class is all zero. The model is measured as it
    predicts and is afterwards unchanged. Raises UsageError for an unknown layer, and where there are no maps.
    """
    modules = dict(model.named_modules())
    if layer and layer not in modules:
        raise UsageError(f"there is no layer {layer!r}{nearest(layer, modules)}")
    wanted = [layer] if layer else list(residual_units(model))
    wanted = wanted or [name for name, module in modules.items() if isinstance(module, nn.Conv2d)]
    maps: dict[str, Tensor] = {}
    gradients: dict[str, Tensor] = {}

    def keep(name: str, _: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.requires_grad:
            maps.pop(name, None)
            maps[name] = output.detach().clone()  # what follows may change it in place
            output.register_hook(partial(gradients.__setitem__, name))

    with predicting(model), untouched(model) as handles, torch.enable_grad():
        handles.extend(modules[name].register_forward_hook(partial(keep, name)) for name in wanted)
        shown = images.detach().clone().requires_grad_()  # so that frozen parameters hide nothing
        logits = model(shown)
        if not maps:
            raise UsageError(
                f"{layer or 'the network'} gives no maps (N, K, h, w) to weigh: Grad-CAM is for convolutions"
            )
        classes = logits.argmax(1) if target is None else target
        score = logits.gather(1, classes[:, None]).sum()
        torch.autograd.grad(score, shown, allow_unused=True)
    name = list(maps)[-1]
    if name not in gradients:
        raise UsageError(f"the score does not depend on the maps of {name}")
    weights = gradients[name].mean((2, 3), keepdim=True)  # eq. 1
    heat = (weights * maps[name]).sum(1, keepdim=True).relu()  # eq. 2
    heat = F.interpolate(heat.float(), size=images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    peak = heat.amax((1, 2), keepdim=True)
    heat = torch.where(peak > 0, heat / peak.clamp(min=torch.finfo(heat.dtype).tiny), torch.zeros_like(heat))
    return Heat(layer=name, heat=heat, target=classes, probabilities=logits.detach().float().softmax(1))


@torch.no_grad()
def probabilities_without(model: nn.Module, images: Tensor, heat: Tensor) -> Tensor:
    """Probabilities ``(N, K)`` of images whose hottest quarter of the pixels is 0, the mean colour."""
    flat = heat.flatten(1)
    hidden = torch.zeros_like(flat, dtype=torch.bool)
    hidden.scatter_(1, flat.topk(max(1, round(_HIDDEN * flat.shape[1])), dim=1).indices, True)
    with predicting(model), untouched(model):
        return model(images.masked_fill(hidden.view_as(heat)[:, None], 0)).float().softmax(1)


def as_pictures(pixels: Tensor) -> list[Any]:
    """Images as numbers in [0, 1], grey (H, W) or RGB (H, W, 3)."""
    values = pixels.float()
    if pixels.dtype == torch.uint8:
        values = values / 255
    else:  # normalised: each image's own range
        low, high = values.amin((1, 2, 3), keepdim=True), values.amax((1, 2, 3), keepdim=True)
        values = (values - low) / (high - low).clamp(min=1e-12)
    colour = values.permute(0, 2, 3, 1) if values.shape[1] == 3 else values.mean(1)
    return colour.tolist()

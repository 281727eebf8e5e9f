"""Grad-CAM: which parts of an image speak for a class (Selvaraju et al. 2017, sec. 3).

Of the score y of the class, before the softmax, and the maps A_k of a layer: the weight of a map is the mean of its
gradient, ``a_k = mean over pixels of dy / dA_k`` (eq. 1), and the heat is ``ReLU(sum_k a_k A_k)`` (eq. 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.analysis.finding import Cell, Finding, Panel, Surface
from residua.analysis.taps import predicting, untouched
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


def explain_finding(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    of: Literal["prediction", "label"] = "prediction",
    layer: str = "",
    classes: Sequence[str] = (),
    pixels: Tensor | None = None,
) -> Finding:
    """Grad-CAM of each image, laid over it, and a check: hide the hottest quarter of the pixels, or others.

    ``images`` is ``(N, C, H, W)`` with C 1 or 3, ``labels`` int64 ``(N,)``, -1 where unknown; ``pixels`` (uint8) are
    the images as people see them. Hidden pixels are 0, the mean colour; the others are as many, in the same shape, half
    an image away (around the edges). If the heat is where the network looks, hiding it lowers the probability of the
    class by more. Raises UsageError as ``grad_cam``, and to explain a label that is unknown.
    """
    if images.ndim != 4:
        raise UsageError(f"Grad-CAM explains images (N, C, H, W), not {tuple(images.shape)}")
    if of == "label" and bool((labels < 0).any()):
        raise UsageError("the class of the image is not known: of=prediction explains the answer")
    found = grad_cam(model, images, labels if of == "label" else None, layer=layer)
    height, width = found.heat.shape[1:]
    elsewhere = found.heat.roll((height // 2, width // 2), (1, 2))
    at = found.target[:, None]
    before = found.probabilities.gather(1, at)[:, 0]
    hot = before - _without(model, images, found.heat).gather(1, at)[:, 0]
    moved = before - _without(model, images, elsewhere).gather(1, at)[:, 0]
    names = [*classes] or [str(k) for k in range(found.probabilities.shape[1])]
    rows: list[tuple[Cell, ...]] = []
    for i, heat in enumerate(found.heat):
        row, column = divmod(int(heat.argmax()), heat.shape[1])
        label = int(labels[i])
        rows.append(
            (
                i + 1,
                names[label] if label >= 0 else None,
                names[int(found.probabilities[i].argmax())],
                names[int(found.target[i])],
                float(before[i]),
                row,
                column,
                float((heat > 0.5).float().mean()),
                float(hot[i]),
                float(moved[i]),
            )
        )
    values: dict[str, Cell] = {
        "layer": found.layer,
        "explained": len(rows),
        "mean_probability": float(before.mean()),
        "mean_drop_hottest": float(hot.mean()),
        "mean_drop_elsewhere": float(moved.mean()),
        "hot_area": float((found.heat > 0.5).float().mean()),
        "without_heat": int((found.heat.amax((1, 2)) == 0).sum()),
    }
    shown = _pictures(images if pixels is None else pixels)
    return Finding(
        kind="explain",
        title="Grad-CAM",
        columns=(
            "image",
            "label",
            "predicted",
            "explained",
            "probability",
            "hottest row",
            "hottest column",
            "hot area",
            "drop, hottest hidden",
            "drop, hidden elsewhere",
        ),
        rows=rows,
        values=values,
        sentence=f"Hiding the hottest quarter of the pixels lowers the probability of the explained class by "
        f"{values['mean_drop_hottest']:.3f} on average, hiding as many of the same shape half an image away by "
        f"{values['mean_drop_elsewhere']:.3f} (from {values['mean_probability']:.3f}, {len(rows)} images, maps of "
        f"{found.layer}); more than half of the largest heat lies on {values['hot_area']:.0%} of the pixels.",
        panels=[
            Panel(
                title=f"{row[3]} {row[4]:.0%}"
                + (f" (it is {row[1]})" if row[1] not in (None, row[3]) else ""),
                x_label="",
                y_label="",
                surface=Surface(
                    x=range(heat.shape[1]),
                    y=range(heat.shape[0]),
                    z=heat.tolist(),
                    label="heat",
                    contours=False,
                    picture=picture,
                ),
            )
            for row, heat, picture in zip(rows, found.heat, shown, strict=True)
        ],
    )


@torch.no_grad()
def _without(model: nn.Module, images: Tensor, heat: Tensor) -> Tensor:
    """Probabilities ``(N, K)`` of images whose hottest pixels are hidden."""
    flat = heat.flatten(1)
    hidden = torch.zeros_like(flat, dtype=torch.bool)
    hidden.scatter_(1, flat.topk(max(1, round(_HIDDEN * flat.shape[1])), dim=1).indices, True)
    with predicting(model), untouched(model):
        return model(images.masked_fill(hidden.view_as(heat)[:, None], 0)).float().softmax(1)


def _pictures(pixels: Tensor) -> list[Any]:
    """Images as numbers in [0, 1], grey (H, W) or RGB (H, W, 3)."""
    values = pixels.float()
    if pixels.dtype == torch.uint8:
        values = values / 255
    else:  # normalised: each image's own range
        low, high = values.amin((1, 2, 3), keepdim=True), values.amax((1, 2, 3), keepdim=True)
        values = (values - low) / (high - low).clamp(min=1e-12)
    colour = values.permute(0, 2, 3, 1) if values.shape[1] == 3 else values.mean(1)
    return colour.tolist()

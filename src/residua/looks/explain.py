"""Grad-CAM: which parts of an image speak for a class (Selvaraju et al. 2017, sec. 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from residua.analysis.finding import Cell, Finding, Panel, Surface, tabulated
from residua.errors import UsageError
from residua.looks.base import Look, Subject
from residua.parts import register


@register
@dataclass(frozen=True, kw_only=True)
class Explain(Look):
    """Grad-CAM of each image, laid over it, and a check: hide the hottest quarter of the pixels, or others.

    ``images`` is ``(N, C, H, W)`` with C 1 or 3, ``labels`` int64 ``(N,)``, -1 where unknown; ``pixels`` (uint8) are
    the images as people see them. Hidden pixels are 0, the mean colour; the others are as many, in the same shape, half
    an image away (around the edges). If the heat is where the network looks, hiding it lowers the probability of the
    class by more. Raises UsageError as ``grad_cam``, and to explain a label that is unknown."""

    kind: ClassVar[str] = "explain"
    about: ClassVar[str] = "which parts of an image speak for a prediction: Grad-CAM (Selvaraju et al. 2017)"
    images: ClassVar[int] = 8
    trained: ClassVar[bool] = True
    image_file: ClassVar[bool] = True

    of: Literal["prediction", "label"] = "prediction"
    layer: str = ""

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from residua.analysis.grad_cam import as_pictures, grad_cam, probabilities_without

        model, images, labels = subject.shown
        if images.ndim != 4:
            raise UsageError(f"Grad-CAM explains images (N, C, H, W), not {tuple(images.shape)}")
        if self.of == "label" and bool((labels < 0).any()):
            raise UsageError("the class of the image is not known: of=prediction explains the answer")
        found = grad_cam(model, images, labels if self.of == "label" else None, layer=self.layer)
        height, width = found.heat.shape[1:]
        half_an_image_away = found.heat.roll((height // 2, width // 2), (1, 2))
        at = found.target[:, None]
        before = found.probabilities.gather(1, at)[:, 0]
        hottest, others = (
            before - probabilities_without(model, images, heat).gather(1, at)[:, 0]
            for heat in (found.heat, half_an_image_away)
        )
        names = [*subject.classes] or [str(k) for k in range(found.probabilities.shape[1])]
        rows, panels = [], []
        pictures = as_pictures(images if subject.pixels is None else subject.pixels)
        for i, (heat, picture) in enumerate(zip(found.heat, pictures, strict=True)):
            row, column = divmod(int(heat.argmax()), heat.shape[1])
            label = names[int(labels[i])] if labels[i] >= 0 else None
            explained, probability = names[int(found.target[i])], float(before[i])
            rows.append(
                {
                    "image": i + 1,
                    "label": label,
                    "predicted": names[int(found.probabilities[i].argmax())],
                    "explained": explained,
                    "probability": probability,
                    "hottest row": row,
                    "hottest column": column,
                    "hot area": float((heat > 0.5).float().mean()),
                    "drop, hottest hidden": float(hottest[i]),
                    "drop, hidden elsewhere": float(others[i]),
                }
            )
            right = "" if label in (None, explained) else f" (it is {label})"
            surface = Surface(
                x=range(width),
                y=range(height),
                z=heat.tolist(),
                label="heat",
                contours=False,
                picture=picture,
            )
            title = f"{explained} {probability:.0%}{right}"
            panels.append(Panel(title=title, x_label="", y_label="", surface=surface))
        values: dict[str, Cell] = {
            "layer": found.layer,
            "explained": len(rows),
            "mean_probability": float(before.mean()),
            "mean_drop_hottest": float(hottest.mean()),
            "mean_drop_elsewhere": float(others.mean()),
            "hot_area": float((found.heat > 0.5).float().mean()),
            "without_heat": int((found.heat.amax((1, 2)) == 0).sum()),
        }
        return Finding(
            kind=self.kind,
            title="Grad-CAM",
            **tabulated(*rows),
            values=values,
            sentence=_failed(values)
            + f"Hiding the hottest quarter of the pixels lowers the probability of the explained class by "
            f"{values['mean_drop_hottest']:.3f} on average, hiding as many of the same shape half an image away by "
            f"{values['mean_drop_elsewhere']:.3f} (from {values['mean_probability']:.3f}, {len(rows)} images, maps "
            f"of {found.layer}); more than half of the largest heat lies on {values['hot_area']:.0%} of the pixels.",
            panels=panels,
        )


def _failed(values: Mapping[str, Any]) -> str:
    """That the maps did not stand their own test, where they did not."""
    if values["mean_drop_hottest"] > values["mean_drop_elsewhere"]:
        return ""
    return "The maps fail their own test, so they do not show where the network looks. "

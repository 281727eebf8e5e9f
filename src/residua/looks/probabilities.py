"""A classifier's answers as they can be kept: two bytes a probability."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from residua.analysis.finding import Finding, rows_of_figures
from residua.looks.base import ALL, Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    import numpy as np

_STEPS = 2**16 - 1  # of a probability that is packed


@register
@dataclass(frozen=True, kw_only=True)
class Probabilities(Look):
    """The probability of every class for every image, the true class first, as text (``packed``)."""

    kind: ClassVar[str] = "probabilities"
    about: ClassVar[str] = "the probability of every class for every image, as text"
    images: ClassVar[int] = ALL
    offered: ClassVar[bool] = False

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        import torch

        from residua.analysis.logits import logits_of

        logits = logits_of(subject.model, subject.images)
        classes = logits.shape[1]
        order = (subject.labels[:, None] + torch.arange(classes)) % classes
        text = packed(logits.softmax(1).gather(1, order).numpy())
        return Finding(
            kind=self.kind,
            title="Probabilities",
            **rows_of_figures({"classes": classes, "probabilities": text}),
            sentence=f"The probabilities of {classes} classes for {len(logits)} images.",
        )


def packed(shares: np.ndarray) -> str:
    """Probabilities ``(N, C)``, the true class first, as text: two bytes each, in base64."""
    return base64.urlsafe_b64encode((shares * _STEPS).round().astype("<u2").tobytes()).decode()


def unpacked(values: dict[str, Any]) -> np.ndarray:
    """The probabilities in the measures of a cell, ``(N, C)`` in [0, 1], the true class first."""
    import numpy as np

    steps = np.frombuffer(base64.urlsafe_b64decode(values["probabilities"]), "<u2")
    return steps.reshape(-1, int(values["classes"])) / _STEPS

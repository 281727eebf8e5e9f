"""Labels that are probably wrong: confident learning (Northcutt, Jiang & Chuang 2021, sec. 3.1).

The probabilities must be out of fold: of a network that did not train on the image, or it repeats the label that it was
taught. A class's threshold is the mean probability of that class over the images labelled so; an image belongs to the
most probable of the classes whose thresholds it reaches. Where that is not its label, the label is suspected (the
off-diagonal of the paper's confident joint): networks that are sure of everything, or of nothing, are thus read on
their own scale. The lower the probability of the given label against the suggested one, the more it is suspected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from residua.data import Data
from residua.evaluation.mistakes import picture_of
from residua.evaluation.outputs import Outputs


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """An image whose label is suspected."""

    index: int  # in the outputs
    label: int
    suggested: int
    label_probability: float
    suggested_probability: float


def suspects(outputs: Outputs) -> list[Suspect]:
    """The suspected labels of N images over K classes, the most suspected first."""
    p, labels = np.exp(outputs.log_probabilities), outputs.labels  # (N, K), (N,)
    labelled = np.eye(p.shape[1], dtype=bool)[labels]
    counts = labelled.sum(0)
    thresholds = np.where(labelled, p, 0).sum(0) / np.maximum(counts, 1)
    reached = (p >= thresholds) & (counts > 0)
    belongs = np.where(reached, p, -1).argmax(1)
    found = np.flatnonzero(reached.any(1) & (belongs != labels))
    listed = [
        Suspect(
            index=int(i),
            label=int(labels[i]),
            suggested=int(belongs[i]),
            label_probability=float(p[i, labels[i]]),
            suggested_probability=min(float(p[i, belongs[i]]), 1.0),
        )
        for i in found
    ]
    return sorted(listed, key=_doubt)


def listed_suspects(
    data: Data, parts: Mapping[str, Outputs], *, pictures: int, most: int | None = None
) -> list[dict[str, Any]]:
    """The suspects of some parts of the data, the most suspected first, as an inspection holds them.

    Only the first ones have pictures; ``most`` ends the list.
    """
    found = sorted(
        ((one, name) for name, outputs in parts.items() for one in suspects(outputs)),
        key=lambda item: _doubt(item[0]),
    )
    return [
        {
            "part": name,
            "position": (place := int(parts[name].positions[one.index])),
            "label": data.classes[one.label],
            "suggested": data.classes[one.suggested],
            "label_probability": one.label_probability,
            "suggested_probability": one.suggested_probability,
            **picture_of(data, name, place, png=number < pictures),
        }
        for number, (one, name) in enumerate(found[:most])
    ]


def _doubt(one: Suspect) -> float:
    return one.label_probability - one.suggested_probability

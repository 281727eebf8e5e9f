"""``inspection.json``: what was found out about a trained network from inside, and of which weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict

from residua.errors import ResiduaError
from residua.runs import layout
from residua.runs.outcome import Outcome
from residua.spec.check import Count, Positive, Share
from residua.spec.stored import read_stored
from residua.weights.digest import digest_of

Origin = Literal["current", "stale", "unknown"]

ClassFigures = TypedDict(
    "ClassFigures", {"class": str, "n": Count, "recall": Share | None, "precision": Share | None}
)


class ReliabilityBin(TypedDict):
    """Images of about one confidence."""

    confidence: Share | None
    accuracy: Share | None
    n: Count


class Mistake(TypedDict):
    """A wrong answer; ``png`` is the base64 text of the image as a PNG file."""

    true: str
    predicted: str
    confidence: Share
    path: str | None
    png: str


class Direction(TypedDict):
    """Images of one class that were taken for another."""

    true: str
    predicted: str
    times: Count
    of: Count  # images of the true class
    images: list[Mistake]


class Pair(TypedDict):
    """Two classes that are taken for each other."""

    times: Count  # both ways
    directions: list[Direction]


class SuspectedLabel(TypedDict):
    """An image that its network, which did not train on it, takes for another class than its label."""

    part: str  # test, val or train
    position: Count  # there
    label: str
    suggested: str
    label_probability: Share
    suggested_probability: Share
    path: str | None
    png: str


class Picture(TypedDict):
    """An image; ``png`` is the base64 text of a PNG file."""

    path: str | None
    png: str


class Twins(TypedDict):
    """A test image and the training image that it is."""

    test: Picture
    train: Picture
    same_label: bool


class Leaks(TypedDict):
    """Test images that lie in the training part too."""

    found: Count
    of: Count  # test images
    images: list[Twins]  # the first ones


class StoredGradient(TypedDict):
    """The norm of the gradient at a unit."""

    unit: str
    kind: Literal["residual", "plain"]
    norm: Positive | None


class StoredResponse(TypedDict):
    """The standard deviation of a layer's responses."""

    unit: str
    layer: str
    std: Positive | None


class StoredCost(TypedDict):
    """What a part of the network costs."""

    part: str
    parameters: Count
    multiply_adds: Count


class Inspection(TypedDict):
    """Every part may be missing or null. Lists by depth go from the input to the output."""

    schema: Literal[1]
    weights: str | None  # the digest of the weight file that was looked at
    classes: list[str] | None  # names, in the order of the labels
    confusion: list[list[Count]] | None  # images of true class (row) given predicted class (column)
    per_class: list[ClassFigures] | None
    top1: Share | None
    balanced_accuracy: Share | None  # mean recall of the classes that have test images
    top5: Share | None
    nll: Positive | None  # nats
    ece: Share | None
    reliability: list[ReliabilityBin] | None
    mistakes: list[Mistake] | None
    pairs: list[Pair] | None
    suspects: list[SuspectedLabel] | None
    leaks: Leaks | None
    gradient: list[StoredGradient] | None
    response: list[StoredResponse] | None
    cost: list[StoredCost] | None
    outcome: Outcome | None


def read_inspection(run: Path) -> dict[str, Any]:
    """The checked parts of a run's inspection, empty if there is none.

    Raises ResiduaError that names the file and the place in it.
    """
    path = run / layout.INSPECTION
    if not path.exists():
        return {}
    values = read_stored(path, Inspection)
    confusion, classes = values.get("confusion"), values.get("classes")
    if confusion is not None:
        size = len(confusion)
        if any(len(row) != size for row in confusion):
            raise ResiduaError(f"{path} is damaged: confusion must be square")
        if classes is not None and len(classes) != size:
            raise ResiduaError(
                f"{path} is damaged: confusion has {size} rows but there are {len(classes)} classes"
            )
    return {key: values[key] for key in Inspection.__annotations__ if values.get(key) is not None}


def origin(run: Path, inspection: Mapping[str, Any]) -> Origin:
    """Whether an inspection is of the weights that the run has now: final ones, or while it is not complete the last.

    Version 0.1 named no weights. Its inspection is of others if the run has been extended since; nothing tells else.
    """
    complete, named = layout.is_complete(run), inspection.get("weights")
    weights = run / (layout.WEIGHTS if complete else layout.LAST)
    if named is not None and weights.exists():
        return "current" if named == digest_of(weights) else "stale"
    if not complete or (run / layout.INSPECTION).stat().st_mtime < (run / layout.RESULT).stat().st_mtime:
        return "stale"
    return "unknown"

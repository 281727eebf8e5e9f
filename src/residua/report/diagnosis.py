"""Why is the worse of two runs worse? Its training and test curves say: degraded, overfitted or not learning.

The worse run is the one with the lower accuracy on the held-out images. The first rule that fits decides:

1. *not learning*: its final training loss is not finite, or is at least ``CHANCE_LOSS`` of what guessing
   gives (the entropy of the classes: ln K for K equally frequent ones); or its final training accuracy lies
   above what guessing gives by at most ``CHANCE_ACCURACY`` of that and at most ``CHANCE_POINTS``.
2. *no clear difference*: the 95 % interval of the difference of the held-out accuracies (Newcombe 1998) holds
   zero, or nobody knows how many images were held out.
3. *degraded*: its final training error is higher too, by more than the same interval over the training images
   explains (by anything, if their number is not known). He et al. 2015, sec. 1: that is not overfitting.
4. *overfitted*: its training error is as low or lower, and only its held-out error is higher.

"Final" is the median of the last ``FINAL_EPOCHS`` epochs, so that one bad epoch decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from residua.intervals import difference
from residua.report.numbers import percent
from residua.report.translation import translator

CHANCE_LOSS = 0.95
CHANCE_ACCURACY = 0.2
CHANCE_POINTS = 0.05
FINAL_EPOCHS = 3

Kind = Literal["degraded", "overfitted", "not learning", "no clear difference"]


@dataclass(frozen=True, kw_only=True)
class Course:
    """What a diagnosis needs of a run: its training curves by epoch, and how it did on held-out images.

    ``shares`` are the classes' shares of the images; ``(1 / K,) * K`` where they are not known.
    """

    name: str
    train_loss: Sequence[float]
    train_accuracy: Sequence[float]
    train_images: int | None
    accuracy: float  # on the held-out images
    images: int | None  # how many were held out
    on: Literal["test", "val"] = "test"
    shares: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What ails the worse run, and the sentence that says it with its numbers."""

    kind: Kind
    sentence: str


def diagnose(a: Course, b: Course, *, lang: str = "en") -> Diagnosis:
    """Say why the worse of two runs is worse, by the rules at the head of this file.

    Both courses must be measured on the same held-out images and hold at least one epoch.
    """
    worse, better = sorted((a, b), key=lambda course: course.accuracy)
    t = translator(lang)
    names = {"worse": worse.name, "better": better.name}
    loss, accuracy = _final(worse.train_loss), _final(worse.train_accuracy)
    chance_loss = -sum(share * math.log(share) for share in worse.shares if share > 0)
    chance = max(worse.shares)
    if not math.isfinite(loss):
        return Diagnosis(kind="not learning", sentence=t("say_diverged", **names))
    if loss >= CHANCE_LOSS * chance_loss:
        said = {"loss": f"{loss:.3f}", "chance": f"{chance_loss:.3f}", "classes": len(worse.shares)}
        return Diagnosis(kind="not learning", sentence=t("say_loss", **names, **said))
    if accuracy <= chance + min(CHANCE_ACCURACY * chance, CHANCE_POINTS):
        said = {"accuracy": percent(accuracy), "chance": percent(chance)}
        return Diagnosis(kind="not learning", sentence=t("say_chance", **names, **said))

    names |= {
        "on": t(worse.on),
        "worse_error": percent(1 - worse.accuracy),
        "better_error": percent(1 - better.accuracy),
    }
    if not (worse.images and better.images):
        return Diagnosis(kind="no clear difference", sentence=t("say_uncounted", **names))
    low, high = difference(1 - worse.accuracy, worse.images, 1 - better.accuracy, better.images)
    if low <= 0:
        points = {"low": f"{100 * low:+.2f}", "high": f"{100 * high:+.2f}"}
        return Diagnosis(kind="no clear difference", sentence=t("say_none", **names, **points))

    error, other = 1 - accuracy, 1 - _final(better.train_accuracy)
    gap = error - other
    if worse.train_images and better.train_images:
        gap = difference(error, worse.train_images, other, better.train_images)[0]
    kind: Kind = "degraded" if gap > 0 else "overfitted"
    sentence = t(f"say_{kind}", **names, worse_train=percent(error), better_train=percent(other))
    return Diagnosis(kind=kind, sentence=sentence)


def _final(curve: Sequence[float]) -> float:
    """The median of the last epochs; not finite if the last epoch is not."""
    return median(curve[-FINAL_EPOCHS:]) if math.isfinite(curve[-1]) else curve[-1]

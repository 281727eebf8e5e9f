"""Has a finished run learned? Its test answers and curves, judged by rules; the first that fits decides.

1. *diverged*: it is not better than the baseline, and its training loss is not finite or above ``WORSE`` times what
   guessing gives (ln K).
2. *collapsed*: ``NEARLY`` all answers are of one class, or of at most a third as many classes as ``NEARLY`` all the
   test images.
3. *learned*: the 95 % interval of its accuracy (Wilson 1927: a one-sample score test, one-sided at 2.5 %) lies above
   the share of the most frequent class, which is what always answering that class would reach. Where one class
   outweighs the others (``UNEVEN`` times an even share) a balanced network may fall short of it: then it has
   learned, too, if the interval of its balanced accuracy (of the classes' Wilson intervals: Zou & Donner 2008) lies
   above 1 / K, which is what every answer that does not look at the image has.
4. *too few images*: there are fewer than ``TESTED`` test images, or fewer than ``FEW`` training images a class.
5. *not learned*: all else.

*overfitted*: the training images, unaugmented, are told better than the test images by ``GAP`` at least (95 % interval
of the difference, Newcombe 1998); where nothing was learned that is learning *by heart*. *underfitted*: not so, and
more than ``ERROR`` of the training images are told wrongly as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from residua.intervals import difference, wilson
from residua.runs.outcome import Advice, Fit, Outcome, Status, told

NEARLY = 0.95
WORSE = 2.0
UNEVEN = 1.5
TESTED, FEW = 20, 10
GAP, ERROR = 0.05, 0.1
STEPS = 300  # of a training; a collapsed one with fewer has only begun


def judge(
    confusion: Sequence[Sequence[int]],
    classes: Sequence[str],
    *,
    train_counts: Sequence[int],
    training: tuple[int, int] | None,
    loss: float | None,
    epochs: int,
    steps: int,
    lr: float,
) -> Outcome:
    """Judge a finished training of a classifier.

    Args:
        confusion: test images of true class (row) that were given a class (column), at least one.
        classes: their names, K.
        train_counts: training images of each class.
        training: how many of the training images were told right, and of how many; None if nobody looked.
        loss: mean training loss of the last epoch, in nats; None if it is not known.
        epochs: passes that the training made, of
        steps: updates in all, at a peak learning rate of
        lr: the recipe.

    """
    counts = np.asarray(confusion, np.int64)
    given, true, hits = counts.sum(0), counts.sum(1), counts.diagonal()
    n, right = int(counts.sum()), int(hits.sum())
    interval, share = wilson(right / n, n), int(true.max()) / n
    there = np.flatnonzero(true)
    balanced, around = _balanced([(int(hits[k]), int(true[k])) for k in there])
    uneven = share > UNEVEN / len(there)
    better = interval[0] > share or (uneven and len(there) > 1 and around[0] > 1 / len(there))
    answered, spread = _nearly_all(given), _nearly_all(true)
    small = sorted((int(c), k) for k, c in enumerate(train_counts) if c < FEW)
    fit = _fit(right, n, training)

    status: Status = "not learned"
    if not better and loss is not None and not loss <= WORSE * math.log(len(classes)):
        status = "diverged"
    elif spread > 1 and (answered == 1 or 3 * answered <= spread):
        status = "collapsed"
    elif better:
        status = "learned"
    elif n < TESTED or sum(train_counts) < FEW * len(classes):
        status = "too few images"
    if fit == "overfitted" and status != "learned":
        fit = "by heart"
    facts: dict[str, Any] = {
        "status": status,
        "fit": fit,
        "advice": _advice(status, fit, steps),
        "right": right,
        "n": n,
        "interval": interval,
        "majority": classes[int(true.argmax())],
        "majority_share": share,
        "balanced": balanced,
        "balanced_interval": around,
        "tested": len(there),
        "answered": answered,
        "top_answer": classes[int(given.argmax())],
        "top_share": int(given.max()) / n,
        "training_right": training[0] if training else None,
        "training_n": training[1] if training else None,
        "loss": loss,
        "classes": len(classes),
        "few": {classes[k]: count for count, k in small},
        "epochs": epochs,
        "lr": lr,
    }
    return Outcome(**facts, sentence=told(Outcome(**facts, sentence="")))


def _balanced(per_class: Sequence[tuple[int, int]]) -> tuple[float, tuple[float, float]]:
    """Mean recall of (right, images) by class, and its 95 % interval."""
    shares, bounds = [right / n for right, n in per_class], [wilson(right / n, n) for right, n in per_class]
    k, mean = len(shares), math.fsum(shares) / len(shares)
    low, high = (
        math.hypot(*(share - bound[side] for share, bound in zip(shares, bounds, strict=True))) / k
        for side in (0, 1)
    )
    return mean, (max(mean - low, 0.0), min(mean + high, 1.0))


def _nearly_all(counts: np.ndarray) -> int:
    """The fewest classes that hold nearly all of some images."""
    falling = np.sort(counts)[::-1].cumsum()
    return int(np.searchsorted(falling, NEARLY * falling[-1])) + 1


def _fit(right: int, n: int, training: tuple[int, int] | None) -> Fit | None:
    if training is None or not training[1]:
        return None
    known, shown = training
    if difference(known / shown, shown, right / n, n)[0] >= GAP:
        return "overfitted"
    return "underfitted" if known / shown < 1 - ERROR else None


def _advice(status: Status, fit: Fit | None, steps: int) -> Advice:
    if status == "diverged" or (status == "collapsed" and steps >= STEPS):
        return "learn slower"
    if status == "collapsed" or (fit == "underfitted" and status != "too few images"):
        return "train longer"
    if status != "learned":
        return "look at the data"
    return "use it" if fit is None else "augment"

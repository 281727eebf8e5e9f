"""What probabilities of N images over K classes are worth. numpy in float64; every share is in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from residua.errors import ResiduaError
from residua.intervals import Z95

BINS = 15  # of equal width (Guo et al. 2017, sec. 2)
# 97.5 % quantiles of Student's t for 1, 2, ... degrees of freedom
_T95 = (12.7062047362, 4.3026527297, 3.1824463053, 2.7764451052, 2.5705818356, 2.4469118511, 2.3646242516)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities float64 (N, K) of logits. Raises ResiduaError if some of them are not numbers."""
    logits = np.asarray(logits, np.float64)
    broken = int((~np.isfinite(logits).all(1)).sum())
    if broken:
        raise ResiduaError(
            f"the network gives logits that are not finite for {broken} of {len(logits)} images"
        )
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def log_mean(log_probabilities: Sequence[np.ndarray]) -> np.ndarray:
    """Logarithm of the mean of probabilities (of views, of an ensemble): (N, K) each and out."""
    if len(log_probabilities) == 1:
        return log_probabilities[0]
    stack = np.stack(log_probabilities)
    top = stack.max(0)
    return top + np.log(np.exp(stack - top).mean(0))


def ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Classes that stand before the true one, int64 (N,); of equal scores the first leads, as in argmax."""
    true = scores[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    return ((scores > true) | ((scores == true) & earlier)).sum(1)


@dataclass(frozen=True, kw_only=True)
class ConfidenceBin:
    """Images whose highest probability fell into one of the ``BINS``; None where there are none."""

    n: int
    confidence: float | None  # mean of the highest probability
    accuracy: float | None


def reliability(log_probabilities: np.ndarray, labels: np.ndarray) -> list[ConfidenceBin]:
    """Confidence against accuracy in ``BINS`` intervals (lo, hi] of equal width."""
    confidence = np.exp(log_probabilities.max(1))
    correct = log_probabilities.argmax(1) == labels
    index = np.searchsorted(np.arange(1, BINS) / BINS, confidence)
    bins = []
    for number in range(BINS):
        inside = index == number
        n = int(inside.sum())
        bins.append(
            ConfidenceBin(
                n=n,
                confidence=float(confidence[inside].mean()) if n else None,
                accuracy=float(correct[inside].mean()) if n else None,
            )
        )
    return bins


def expected_calibration_error(bins: Sequence[ConfidenceBin]) -> float:
    """Mean over images of the gap between confidence and accuracy of their bin (Guo et al. 2017, eq. 3)."""
    total = sum(item.n for item in bins)
    gaps = [item.n * abs(item.confidence - item.accuracy) for item in bins if item.n]  # type: ignore[operator]  # None where n is 0
    return sum(gaps) / total


def confusion_matrix(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Images of true class (row) that were given a class (column): int64 (K, K)."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def per_class(confusion: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """For every class ``{"class", "n", "recall", "precision"}``; None where there is no image for it."""
    true, predicted, right = confusion.sum(1), confusion.sum(0), confusion.diagonal()
    return [
        {
            "class": name,
            "n": int(true[i]),
            "recall": float(right[i] / true[i]) if true[i] else None,
            "precision": float(right[i] / predicted[i]) if predicted[i] else None,
        }
        for i, name in enumerate(names)
    ]


def figures(log_probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """``top1``, ``top5`` (of fewer than five classes 1), ``balanced_accuracy``, ``nll`` in nats, ``ece``, and tables.

    These are ``confusion`` and ``per_class``.
    """
    places = ranks(log_probabilities, labels)
    confusion = confusion_matrix(log_probabilities.argmax(1), labels, len(classes))
    rows = per_class(confusion, classes)
    return {
        "top1": float((places < 1).mean()),
        "top5": float((places < 5).mean()),
        # the mean of the recalls of the classes that have images: no class counts more for having many
        "balanced_accuracy": float(np.mean([row["recall"] for row in rows if row["n"]])),
        "nll": float(-log_probabilities[np.arange(len(labels)), labels].mean()),
        "ece": expected_calibration_error(reliability(log_probabilities, labels)),
        "confusion": confusion.tolist(),
        "per_class": rows,
    }


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval (Student's t) of the mean of two or more values, such as the accuracies of seeds."""
    n = len(values)
    half = t_quantile(n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n)
    mean = float(np.mean(values))
    return mean - half, mean + half


def t_quantile(freedom: int) -> float:
    """97.5 % quantile of Student's t, to four digits (Abramowitz & Stegun 1964, 26.7.5, past the table)."""
    if freedom <= len(_T95):
        return _T95[freedom - 1]
    z, v = Z95, freedom
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * v**4)
    )


def paired_interval(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """95 % interval of the change of accuracy on the same images: bool (N,) each, whether an answer is right.

    Agresti & Min 2005: Wald's interval of matched proportions, with half an image more in each of the four cells.
    """
    n = len(before) + 2
    gained, lost = int((after & ~before).sum()) + 0.5, int((before & ~after).sum()) + 0.5
    change = (gained - lost) / n
    half = Z95 * math.sqrt(gained + lost - (gained - lost) ** 2 / n) / n
    return max(change - half, -1.0), min(change + half, 1.0)

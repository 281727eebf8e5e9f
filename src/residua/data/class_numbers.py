"""From the labels that a program holds to places in a list of classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from residua.errors import UsageError


def numbered(
    labels: Sequence[np.ndarray], classes: Sequence[str] | None
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Labels of training (and test) samples as places int64 in the classes, and the classes' names.

    Raises UsageError for labels that are neither whole numbers nor texts, for fewer than two classes, and for labels
    beyond ``classes`` or, of the test, beyond those of the training.
    """
    kinds = {each.dtype.kind for each in labels}
    if not kinds <= set("iub") and not kinds <= set("UO"):
        raise UsageError(
            f"y is the class of each image, whole numbers or texts, not {labels[0].dtype}; numbers to predict are "
            "learnt by residua.estimators.ResidualRegressor, or from csv:FILE"
        )
    of_texts = kinds <= set("UO")
    values = [each.tolist() for each in labels]
    if of_texts and not all(isinstance(value, str) for each in values for value in each):
        raise UsageError(
            "y holds texts among other things: the class of each image is a whole number or a text"
        )
    seen = sorted(set(values[0])) if classes is None or of_texts else range(len(classes))
    names = tuple(map(str, seen)) if classes is None else tuple(classes)
    if of_texts and classes is not None:
        seen = list(classes)
    place = {value: number for number, value in enumerate(seen)}
    for value in (value for each in values for value in each):
        if value not in place:
            raise UsageError(f"the label {value!r} is none of the {len(names)} classes to train on")
    if len(set(values[0])) < 2:
        raise UsageError(
            f"y has images of {len(set(values[0]))} classes to train on; at least two are needed"
        )
    return [np.array([place[value] for value in each], np.int64) for each in values], names

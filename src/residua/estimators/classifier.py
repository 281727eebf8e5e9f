"""``ResidualClassifier``."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from residua.data.sources.arrays import with_classes
from residua.errors import UsageError
from residua.estimators.base import ResidualEstimator


class ResidualClassifier(ClassifierMixin, ResidualEstimator):
    """A residual network that tells classes apart, as an estimator of scikit-learn.

    Parameters are those of ``ResidualEstimator``. The labels may be of any kind that scikit-learn takes.

    Attributes:
        classes_: the labels.
        n_features_in_: columns of the table.
        feature_names_in_: their names, if X was a data frame whose columns all have one.
        network_: the trained network, a ``torch.nn.Module`` in evaluation mode.
        history_: a line for each epoch: losses and accuracies.
        n_iter_: epochs that were trained.
        about_: what the network needs to know of its input: shape, mean and deviation.
        kind_: ``"rows"``, ``"images"`` or ``"paths"``.

    """

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Train. Raises UsageError (a ValueError) for what cannot be learned from."""
        samples, answers = self._checked(X, y)
        check_classification_targets(answers)
        self.classes_, labels = np.unique(answers, return_inverse=True)
        if len(self.classes_) < 2:
            raise UsageError("there is nothing to tell apart: y holds 1 class")
        names = [str(one) for one in self.classes_.tolist()]
        self._train(with_classes(samples, labels.astype(np.int64), names, **self._held_out()))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """The probability of each class, float64 (N, classes), in the order of ``classes_``."""
        logits = self._outputs(X)
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return shares / shares.sum(1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The likeliest class of each sample."""
        likeliest = self._outputs(X).argmax(1)  # first: it says whether this is fitted
        return self.classes_[likeliest]

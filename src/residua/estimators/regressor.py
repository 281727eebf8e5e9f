"""``ResidualRegressor``."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import Tags

from residua.data.sources.arrays import with_targets
from residua.estimators.base import ResidualEstimator


class ResidualRegressor(RegressorMixin, ResidualEstimator):
    """A residual network that predicts numbers, one or several, as an estimator of scikit-learn.

    Parameters are those of ``ResidualEstimator``. Targets are standardised by the training samples.

    Attributes:
        n_features_in_: columns of the table.
        feature_names_in_: their names, if X was a data frame whose columns all have one.
        network_: the trained network, a ``torch.nn.Module`` in evaluation mode.
        history_: a line for each epoch: losses, and on held-out samples RMSE and R2.
        n_iter_: epochs that were trained.
        about_: what the network needs to know of its input and of its targets: shape, mean and deviation.
        kind_: ``"rows"``, ``"images"`` or ``"paths"``.

    """

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Train on targets (N,) or (N, T). Raises UsageError (a ValueError) for what cannot be learned from."""
        samples, answers = self._checked(X, y, multi_output=True, y_numeric=True)
        self._one_target = answers.ndim == 1
        targets = answers.astype(np.float64).reshape(len(answers), -1)
        self._train(with_targets(samples, targets, **self._held_out()))
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The numbers of each sample, float64, of the shape that ``fit`` was given."""
        outputs = self._outputs(X)  # standardised
        numbers = outputs * self.about_["target_std"] + self.about_["target_mean"]
        return numbers[:, 0] if self._one_target else numbers

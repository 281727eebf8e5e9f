"""Early stopping on the validation loss."""

from __future__ import annotations

from residua.train.callbacks import Callback, Moment, StopTraining


class EarlyStopping(Callback):
    """Ends a training once the validation loss has not fallen for ``patience`` epochs."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self._best, self._since = float("inf"), 0

    def on_epoch(self, moment: Moment) -> None:  # noqa: D102
        loss = moment.metrics["val_loss"]
        improved = loss is not None and loss < self._best
        self._best, self._since = (loss, 0) if improved else (self._best, self._since + 1)
        if self._since >= self.patience:
            raise StopTraining(f"the validation loss has not fallen for {self.patience} epochs")

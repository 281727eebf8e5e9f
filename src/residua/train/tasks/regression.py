"""Regression: numbers for every image, judged by the root of the mean squared error in the data's units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.data import AnyData
from residua.errors import UsageError
from residua.parts import register
from residua.runs.plan import Plan
from residua.spec import Metric, Recipe, TaskSpec, positive
from residua.train.supervised import Sums, Supervised


@register
@dataclass(frozen=True, kw_only=True)
class Regression(TaskSpec):
    """Squared error of standardised targets; with ``huber``, linear beyond so many standard deviations (Huber 1964).

    Batches are of images (N, C, H, W) and targets (N, T), standardised by the mean and deviation of the training part.
    """

    kind: ClassVar[str] = "regression"
    primary: ClassVar[Metric] = Metric("rmse", "min")
    networks: ClassVar[str] = "classification"  # with an output for each target
    answers: ClassVar[Literal["classes", "numbers", "nothing"]] = "numbers"

    huber: float | None = None

    def validate(self) -> None:  # noqa: D102
        if self.huber is not None:
            positive(self, "huber")

    def chance(self, data: AnyData) -> float:
        """Of standardised targets, their variance."""
        return 1.0

    def make(self, network: nn.Module, recipe: Recipe, plan: Plan, data: AnyData) -> Supervised:
        """Raises UsageError for data without targets."""
        told = data.about()
        if "targets" not in told:
            raise UsageError(f"{data.spec.source} has no numbers to learn: csv:FILE has")
        return Supervised(
            network,
            recipe,
            plan,
            primary=self.primary,
            loss=partial(self._loss, network),
            evaluate=partial(self._evaluate, network),
            metrics=partial(_metrics, names=told["targets"], std=told["target_std"]),
        )

    def _loss(self, network: nn.Module, batch: Sequence[Any]) -> tuple[Tensor, Sums]:
        images, targets = batch[:2]
        loss = self._error(network(images).float(), targets)
        return loss, _sums(loss.detach(), targets)

    def _evaluate(self, network: nn.Module, batch: Sequence[Any]) -> Sums:
        images, targets = batch[:2]
        outputs, targets = network(images).double(), targets.double()
        return {
            **_sums(self._error(outputs, targets), targets),
            "squares": (outputs - targets).square().sum(0),  # (T,)
            "target": targets.sum(0),
            "target_squares": targets.square().sum(0),
        }

    def _error(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self.huber is None:
            return F.mse_loss(outputs, targets)
        return F.huber_loss(outputs, targets, delta=self.huber)


def _sums(loss: Tensor, targets: Tensor) -> Sums:
    return {"loss": loss * len(targets), "count": torch.tensor(len(targets))}


def _metrics(sums: Mapping[str, Tensor], *, names: Sequence[str], std: Sequence[float]) -> dict[str, float]:
    """RMSE in the data's units and R2, each the mean over the targets; of several targets also the RMSE of each.

    R2 is not finite where a target is the same for all images.
    """
    count = sums["count"]
    rmse = (sums["squares"] / count).sqrt().cpu() * torch.tensor(std, dtype=torch.float64)  # (T,)
    around_mean = sums["target_squares"] - sums["target"].square() / count
    figures = {
        "loss": float(sums["loss"] / count),
        "rmse": float(rmse.mean()),
        "r2": float((1 - sums["squares"] / around_mean).mean()),
    }
    each = zip(names, rmse.tolist(), strict=True) if len(names) > 1 else ()
    return figures | {f"rmse_{name}": value for name, value in each}

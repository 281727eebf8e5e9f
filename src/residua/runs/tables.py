"""What the tables of a run folder, and the lines of its metrics, must hold; whatever else they hold is left alone."""

from __future__ import annotations

from typing import Any, TypedDict

from residua.spec.check import Count, Measured, Positive, Share


class DataTable(TypedDict):
    """``data.json``: the data's identity, and the spec that they were loaded by."""

    kind: str
    storage: str
    classes: list[Any]
    spec: dict[str, Any]


class EnvTable(TypedDict):
    """``env.json``: what decides numbers beside the specs and the plan, and who has worked on the run."""

    seed: Count
    sessions: list[Any]
    limit_batches: Count | None


class ResultTable(TypedDict):
    """``result.json``: the final figures; those of the test part are ``test_<metric>``."""

    model: str
    primary: str
    test_images: Count
    seconds: Positive
    epochs: Count
    parameters: Count
    data: str | None
    seed: Count | None
    multiply_adds: Count | None
    steps: Count | None
    train_accuracy: Share | None
    val_accuracy: Share | None
    test_accuracy: Share | None
    test_loss: Measured | None


class StepLine(TypedDict):
    """The line of every ``log_every``-th step."""

    step: Count
    lr: Measured | None
    loss: Measured | None


class EpochLine(TypedDict):
    """The line of an epoch; other metrics than the accuracy are ``train_<metric>`` and ``val_<metric>`` too."""

    epoch: Count
    step: Count | None
    lr: Measured | None
    train_loss: Measured | None
    train_accuracy: Share | None
    val_loss: Measured | None
    val_accuracy: Share | None


LINES: dict[str, Any] = {"step": StepLine, "epoch": EpochLine}  # by their "event"

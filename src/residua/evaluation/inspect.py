"""Look at a finished run from inside, for its report: ``inspection.json``."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from residua.analysis.cost import cost
from residua.analysis.gradient import gradient_norms
from residua.analysis.layer_responses import response
from residua.data import Data, load_data, normalize, same_identity
from residua.errors import ResiduaError, UsageError
from residua.evaluation import metrics
from residua.evaluation.label_errors import listed_suspects
from residua.evaluation.leaks import leaks
from residua.evaluation.mistakes import mistakes, pairs
from residua.evaluation.opener import some_of
from residua.evaluation.outcome import judge
from residua.evaluation.outputs import Progress, logits, read_outputs
from residua.evaluation.source import data_spec, fitted, open_classifier
from residua.runs.folder import RunFolder
from residua.runs.outcome import Outcome
from residua.weights.digest import digest_of

SUSPECTS = 24  # labels, the most suspected ones
PROBES = 128  # training images that gradients and responses are taken of
AGAIN = 512  # training images at most that are shown once more, to compare with the test images


def inspect_run(
    run: str | Path | RunFolder,
    data: str | None = None,
    *,
    limit: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure a run's network on its test images and write ``inspection.json`` into its folder.

    Figures of the test images are those of ``evaluate``. Gradient norms are those of a training step on
    ``PROBES`` training images (batch statistics, unaugmented), responses those of the network as it
    predicts, on the same. ``data`` says where the run's images lie now, if they have moved; ``limit`` ends the
    test images after so many batches. Returns what was written.

    Raises UsageError if there is no such run, ResiduaError if its files or images cannot be read, or the images are
    no longer those of the run.
    """
    trained = open_classifier(run)
    if trained.run is None:
        raise UsageError(f"{run} is a weight file: only a run can be inspected")
    weights = digest_of(trained.run.weights)
    before = trained.run.data
    images = fitted(trained, load_data(data_spec(trained, data), storage=before["storage"]))
    if changed := same_identity(before, images.identity):
        raise ResiduaError(f"{images.spec.source} is not what {trained.name} was trained on: {changed}")
    outputs = read_outputs(
        trained.model, images, "test", precision=trained.precision, limit=limit, progress=progress
    )
    unseen = {"test": outputs}  # images that the network did not train on
    if images.val is not None:
        unseen["val"] = read_outputs(trained.model, images, "val", precision=trained.precision, limit=limit)
    log_p, labels = outputs.log_probabilities, outputs.labels
    figures = metrics.figures(log_p, labels, images.classes)
    outcome = _outcome(trained.model, trained.run, images, figures["confusion"])
    learned = outcome.status == "learned"  # else its doubts about labels mean nothing
    pictured = len(images.shape) > 1  # a row of a table has no picture
    found = {
        "schema": 1,
        "weights": weights,
        "classes": list(images.classes),
        **figures,
        "outcome": outcome.to_dict(),
        "leaks": leaks(images),
        "reliability": [dataclasses.asdict(one) for one in metrics.reliability(log_p, labels)],
        "mistakes": mistakes(images, outputs) if pictured else [],
        "pairs": pairs(images, outputs) if pictured else [],
        "suspects": listed_suspects(images, unseen, pictures=SUSPECTS, most=SUSPECTS)
        if learned and pictured
        else None,
        **_depth(trained.model, images),
        "cost": [dataclasses.asdict(part) for part in cost(trained.model, images.shape).parts],
    }
    trained.run.write_inspection(found)
    return found


def _outcome(model: nn.Module, run: RunFolder, data: Data, confusion: list[list[int]]) -> Outcome:
    """What became of the training, by its test answers, its last epoch, and some training images shown again."""
    epochs, result = run.metrics("epoch"), run.result or {}
    return judge(
        confusion,
        data.classes,
        train_counts=np.bincount(data.train.labels, minlength=len(data.classes)).tolist(),
        training=_shown_again(model, data, run.plan.precision),
        loss=epochs[-1].get("train_loss") if epochs else None,
        epochs=result.get("epochs") or len(epochs),
        steps=result.get("steps") or 0,
        lr=run.recipe.lr,
    )


def _shown_again(model: nn.Module, data: Data, precision: str) -> tuple[int, int]:
    """Of some training images, evenly spaced and unaugmented: how many are told right, and how many there are."""
    count = min(len(data.train), AGAIN)
    right = n = 0
    for places in np.array_split(
        np.linspace(0, len(data.train) - 1, count).astype(np.int64), -(-count // PROBES)
    ):
        pixels, labels = data.train.read(places)
        if len(labels):
            answers = logits(model.eval(), normalize(pixels, data.mean, data.std), precision)
            right, n = right + int((answers.argmax(1) == labels.numpy()).sum()), n + len(labels)
    return right, n


def _depth(model: nn.Module, data: Data) -> dict[str, Any]:
    """How gradients and responses change with depth."""
    _, images, labels = some_of(data, "train", PROBES)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # drop path draws
        gradient = gradient_norms(model.train(), images, labels)
    responses = response(model.eval(), images)
    return {
        "gradient": [{"unit": g.unit, "kind": g.kind, "norm": _number(g.norm)} for g in gradient],
        "response": [{"unit": r.unit, "layer": r.layer, "std": _number(r.std)} for r in responses],
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None

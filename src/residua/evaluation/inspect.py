"""Look at a finished run from inside, for its report: ``inspection.json``."""

from __future__ import annotations

import base64
import dataclasses
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from residua.analysis.cost import cost
from residua.analysis.gradient import gradient_norms
from residua.analysis.layer_responses import response
from residua.data import Data, load_data, same_identity
from residua.errors import ResiduaError, UsageError
from residua.evaluation import metrics
from residua.evaluation.opener import some_of
from residua.evaluation.outputs import Outputs, Progress, read_outputs
from residua.evaluation.source import data_spec, fitted, open_classifier
from residua.runs.folder import RunFolder
from residua.weights.digest import digest_of

MISTAKES = 24  # the most confident ones
SLICES = 8  # of a clip or volume in its picture
PROBES = 128  # training images that gradients and responses are taken of


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
    log_p, labels = outputs.log_probabilities, outputs.labels
    found = {
        "schema": 1,
        "weights": weights,
        "classes": list(images.classes),
        **metrics.figures(log_p, labels, images.classes),
        "reliability": [dataclasses.asdict(one) for one in metrics.reliability(log_p, labels)],
        "mistakes": _mistakes(images, outputs) if len(images.shape) > 1 else [],  # a row has no picture
        **_depth(trained.model, images),
        "cost": [dataclasses.asdict(part) for part in cost(trained.model, images.shape).parts],
    }
    trained.run.write_inspection(found)
    return found


def _mistakes(data: Data, outputs: Outputs) -> list[dict[str, Any]]:
    """The wrong answers that the network was most certain of, with their pictures."""
    predicted = outputs.log_probabilities.argmax(1)
    confidence = np.exp(outputs.log_probabilities.max(1))
    wrong = np.flatnonzero(predicted != outputs.labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES]
    paths, found = data.test.paths(), []
    for index in worst:
        position = int(outputs.positions[index])
        pixels, _ = data.test.read(np.array([position]))
        found.append(
            {
                "true": data.classes[outputs.labels[index]],
                "predicted": data.classes[predicted[index]],
                "confidence": min(float(confidence[index]), 1.0),
                "path": None if paths is None else paths[position],
                "png": _png(_flat(pixels[0]).permute(1, 2, 0).numpy()),
            }
        )
    return found


def _flat(pixels: torch.Tensor) -> torch.Tensor:
    """An image (C, H, W) as it is; of a clip or volume (C, D, H, W) at most ``SLICES`` slices side by side, in grey."""
    if pixels.ndim == 3:
        return pixels
    depth = pixels.shape[1]
    chosen = np.unique(np.linspace(0, depth - 1, min(depth, SLICES)).astype(np.int64))
    strip = torch.cat([pixels[:, int(i)] for i in chosen], dim=2).float().mean(0, keepdim=True)  # (1, H, n W)
    if pixels.dtype != torch.uint8:  # its own range, as a radiologist's window
        strip = (strip - strip.min()) * (255 / (strip.max() - strip.min()).clamp(min=1e-12))
    return strip.byte()


def _png(pixels: np.ndarray) -> str:
    """Pixels uint8 (H, W, 1 or 3) as the base64 text of a PNG file."""
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)).save(
        out, "png"
    )
    return base64.b64encode(out.getvalue()).decode()


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

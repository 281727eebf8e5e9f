"""What a network says about the images of a split: the one pass that every figure is taken from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from residua.data import Data, eval_batches
from residua.errors import ResiduaError
from residua.evaluation.metrics import log_mean, log_softmax
from residua.evaluation.views import PLAIN, View
from residua.nn import place

SPLITS = ("train", "val", "test")
Progress = Callable[[int, int], None]  # images done, images in all


@dataclass(frozen=True, kw_only=True, eq=False)
class Outputs:
    """Log-probabilities of the readable images of a split, in order."""

    log_probabilities: np.ndarray  # float64 (N, K)
    labels: np.ndarray  # int64 (N,)
    positions: np.ndarray  # int64 (N,), in the split
    # float64 (N, K), of the images as they are, where the others are of several views
    plain: np.ndarray | None = None


def read_outputs(
    model: nn.Module,
    data: Data,
    split: str,
    *,
    views: Sequence[View] = PLAIN,
    batch_size: int = 256,
    device: str = "cpu",
    precision: str = "float32",
    limit: int | None = None,
    progress: Progress | None = None,
) -> Outputs:
    """Show every image of a split to ``model``, in evaluation mode, in every view; probabilities are averaged.

    Beside other views every image is also shown as it is.

    The model moves to ``device`` and to channels_last memory, and is afterwards in the mode that it was in.
    ``limit`` ends after so many batches. Raises UsageError for an unknown split and for images that the
    model refuses, ResiduaError if no image can be read and for logits that are not finite.
    """
    # nothing here runs in inference mode: what is made in it (moved parameters, a mask kept) never trains again
    model = place(model, device, torch.channels_last)
    training = model.training
    total = min(len(data.split(split)), batch_size * limit if limit else len(data.split(split)))
    parts: list[tuple[np.ndarray, ...]] = []
    (whole,) = PLAIN
    shown = dict.fromkeys((*views, whole))
    try:
        model.eval()
        for images, labels, positions in eval_batches(data, split, batch_size, device=device, limit=limit):
            answers = {view: log_softmax(logits(model, view(images), precision)) for view in shown}
            together = log_mean([answers[view] for view in views])
            parts.append((together, labels.cpu().numpy(), positions, answers[whole]))
            if progress is not None:
                progress(int(positions[-1]) + 1, total)
    finally:
        model.train(training)
    if not parts:
        raise ResiduaError(f"the {split} part of {data.spec.source} has no readable image")
    together, labels, positions, plain = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Outputs(
        log_probabilities=together,
        labels=labels,
        positions=positions,
        plain=None if tuple(views) == PLAIN else plain,
    )


@torch.no_grad()
def logits(model: nn.Module, images: Tensor, precision: str) -> np.ndarray:
    """Logits float32 (N, K) of normalised images (N, C, H, W), computed in ``"float32"`` or ``"bfloat16"``."""
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        answers: Tensor = model(images)
    return answers.float().cpu().numpy()

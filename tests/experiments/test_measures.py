"""Figures of a training from its two files: the gap between its errors, and whether it diverged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from residua.experiments.measures import training_measures


def _measured(folder: Path, *epochs: dict[str, float], **result: Any) -> dict[str, Any]:
    (folder / "result.json").write_text(json.dumps(result))
    lines = [
        {"event": "epoch", "epoch": i, "step": 10 * (i + 1), "lr": 0.1, "train_loss": 1.0, **epoch}
        for i, epoch in enumerate(epochs)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return training_measures(folder)


def test_the_gap_is_the_test_error_over_the_training_error(tmp_path: Path) -> None:
    found = _measured(tmp_path, {"train_accuracy": 0.5}, {"train_accuracy": 0.99}, test_accuracy=0.95)
    assert found["gap"] == pytest.approx(4.0)
    assert "gap" not in _measured(tmp_path, {}, test_frechet_distance=3.0)


@pytest.mark.parametrize(("losses", "rate"), [((2.0, 1.0), 0.0), ((2.0, 1.0, 2.5), 100.0), ((2.0,), 0.0)])
def test_a_training_diverged_whose_loss_ends_above_where_it_began(
    tmp_path: Path, losses: tuple[float, ...], rate: float
) -> None:
    assert _measured(tmp_path, *({"train_loss": loss} for loss in losses))["diverged"] == rate


@pytest.mark.parametrize(("distances", "rate"), [((9.0, 3.0, 5.0), 0.0), ((9.0, 3.0, 6.5), 100.0)])
def test_a_gan_diverged_whose_images_end_twice_as_far_off_as_at_best(
    tmp_path: Path, distances: tuple[float, ...], rate: float
) -> None:
    found = _measured(
        tmp_path, *({"val_frechet_distance": d, "train_loss": i} for i, d in enumerate(distances))
    )
    assert found["diverged"] == rate  # whatever the loss of the discriminator does
    assert found["curve_test_frechet_distance"] == list(distances)

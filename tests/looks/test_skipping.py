"""The step with stochastic depth beside the one without."""

from __future__ import annotations

import pytest
import torch

from residua.data import load_data
from residua.experiments.look_at import look_at
from residua.loading import create_model
from residua.spec import DataSpec


def _saved(**changes) -> dict[str, float]:
    torch.manual_seed(0)
    network = create_model("cifar_resnet20_stochastic_depth", num_classes=10, in_channels=1, **changes)
    data = load_data(DataSpec(val_fraction=0.0))
    return look_at("skipping", network, data, 0, {"rounds": 3, "images": 4})


def test_linear_decay_to_a_half_skips_about_a_quarter_of_the_work() -> None:
    found = _saved()
    assert found["branches_skipped"] == pytest.approx(100 * 0.5 * (9 + 1) / (2 * 9))
    assert 24 < found["work_saved"] < found["branches_skipped"] + 1


def test_every_branch_always_skipped_saves_nearly_everything() -> None:
    found = _saved(drop_path=0.99, drop_path_rule="uniform")
    assert found["work_saved"] > 95
    assert found["time_saved"] > 30  # a loaded machine may take its part


def test_without_drop_path_nothing_is_saved() -> None:
    assert _saved(drop_path=0.0)["work_saved"] == 0


def test_a_step_may_be_on_images_of_a_size_that_the_data_have_not() -> None:
    torch.manual_seed(0)
    network = create_model("cifar_resnet20_stochastic_depth", num_classes=10, in_channels=3)
    found = look_at(
        "skipping", network, None, 0, {"images": 0, "shape": (3, 32, 32), "batch": 2, "rounds": 1}
    )
    assert 24 < found["work_saved"] < 30
    assert found["time_saved"] < 100

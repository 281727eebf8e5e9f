from __future__ import annotations

from typing import Any

import pytest
import torch

from residua.experiments.look_at import look_at
from residua.experiments.rules.ensemble import error
from residua.looks.probabilities import unpacked
from residua.registry import build, model_spec


def _network(name: str, **changes: Any) -> Any:
    torch.manual_seed(0)
    return build(model_spec(name, in_channels=1, num_classes=10, **changes)).eval()


def test_units_whose_branch_is_zero_change_nothing(digits: Any) -> None:
    network = _network("cifar_resnet8")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = look_at("deepened", network, digits, 0, {"units": 2})
    assert (found["layers"], found["layers_deepened"]) == (8, 20)
    assert found["largest_change"] == 0
    assert found["error_change"] == 0
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_without_shortcuts_they_change_everything(digits: Any) -> None:
    """The control: a plain unit with a branch of zero gives zero."""
    found = look_at("deepened", _network("cifar_plain8"), digits, 0, {"units": 1})
    assert found["largest_change"] > 0.01


def test_the_responses_are_those_of_figure_7(digits: Any) -> None:
    found = look_at("responses", _network("cifar_resnet8"), digits, 0, {})
    assert len(found["x"]) == len(found["in_order"]) == found["layers"] == 7
    assert found["sorted"] == sorted(found["in_order"], reverse=True)
    assert found["mean_std"] == pytest.approx(sum(found["in_order"]) / 7)


def test_probabilities_give_the_network_s_own_error(digits: Any) -> None:
    network = _network("cifar_resnet8")
    found = look_at("probabilities", network, digits, 0, {})
    images = torch.cat([batch.images for batch in digits.eval_batches("test", 100)])
    with torch.no_grad():
        wrong = network(images).argmax(1).numpy() != digits.test.labels
    assert error(unpacked(found)) == pytest.approx(100 * wrong.mean())


def test_a_training_step_counts_memory_and_learns() -> None:
    found = look_at("training_step", _network("cifar_preact_resnet14"), None, 0, {})
    assert found["layers"] == 14
    assert found["units"] == 6
    assert found["loss_change"] == pytest.approx(found["loss_after"] - found["loss_before"])
    assert found["loss_change"] < 0 < found["first_gradient"]
    assert 0 < found["held_gb_recomputing"] < found["held_gb"] / 2


def test_an_image_s_share_of_the_memory_does_not_depend_on_the_batch() -> None:
    two, four = (
        look_at("training_step", _network("cifar_resnet8"), None, 0, {"batch": batch}) for batch in (2, 4)
    )
    assert two["held_gb"] == pytest.approx(four["held_gb"], rel=0.02)
    assert (
        two["held_gb_recomputing"] > 128 * 3 * 16 * 32 * 32 * 4 / 1e9 / 2
    )  # the inputs of three units, and more


@pytest.mark.parametrize(
    ("model", "unit", "weights", "channels"),
    [
        ("cifar_resnet8", "stages.0.0", 2 * 9 * 16 * 16, 16),
        ("cifar_resnet8", "stages.2.0", 9 * 32 * 64 + 9 * 64 * 64, 32),
    ],
)
def test_the_weights_of_a_branch(model: str, unit: str, weights: int, channels: int) -> None:
    found = look_at("branch_weights", _network(model), None, 0, {"unit": unit})
    assert found == {"weights": weights, "channels": channels, "pointwise_share": 0}

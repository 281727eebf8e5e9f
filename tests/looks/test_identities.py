"""Units that are the identity or one matrix: by construction to rounding, by training as far as it gets."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from residua.errors import UsageError
from residua.experiments.look_at import look_at
from residua.registry import build, model_spec


def _network(name: str, **changes: Any) -> Any:
    torch.manual_seed(0)
    return build(model_spec(name, in_channels=1, num_classes=10, **changes)).eval()


def test_one_linear_layer_with_a_shortcut_is_a_matrix_and_two_with_a_relu_are_not() -> None:
    one, two = (look_at("linear_unit", None, None, 0, {"layers": layers, "units": 3}) for layers in (1, 2))
    assert one["matrix_error"] < 1e-12
    assert one["nonlinearity"] < 1e-12
    assert two["matrix_error"] is None
    assert two["nonlinearity"] > 0.05


def test_without_its_branch_a_unit_is_what_stands_after_its_sum() -> None:
    original, preact = (
        look_at("zero_branch", _network(name), None, 0, {})
        for name in ("cifar_resnet8", "cifar_preact_resnet8")
    )
    assert original["relu_error"] == original["changed_positive"] == 0
    assert original["changed"] > 0.5
    assert 40 < original["changed_share"] < 60  # the negative half
    assert preact["changed"] == preact["changed_share"] == 0
    with pytest.raises(UsageError, match="no unit of maps"):
        look_at("zero_branch", torch.nn.Flatten(), None, 0, {})


def test_a_deeper_plain_net_is_built_of_a_shallow_one_and_both_are_trained_on(digits: Any) -> None:
    network = _network("cifar_plain8")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    options = {"units": 1, "steps": 3, "rates": (0.01,), "batch": 16, "images": 48}
    found = look_at("constructed", network, digits, 0, options)
    assert (found["layers"], found["layers_deepened"]) == (8, 14)
    assert found["largest_change"] < 1e-12
    assert found["cost_of_depth"] == pytest.approx(found["deeper_error"] - found["shallow_error"])
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with pytest.raises(UsageError, match="no stages of plain units"):
        look_at("constructed", _network("cifar_resnet8"), digits, 0, options)


def test_identities_that_do_not_undo_their_norms_would_show(digits: Any, monkeypatch: Any) -> None:
    """The control of the construction: with norms as they are initialised the logits change."""
    monkeypatch.setattr("residua.analysis.identity_layers._undone", lambda norm, maps: norm.bias.fill_(1.0))
    options = {"units": 1, "steps": 1, "rates": (0.01,), "batch": 4, "images": 8}
    assert look_at("constructed", _network("cifar_plain8"), digits, 0, options)["largest_change"] > 1e-3


def test_units_are_trained_to_be_the_identity() -> None:
    options = {"steps": 40, "rates": (0.01, 1e-9), "batch": 8, "side": 4}
    residual, plain = (
        look_at("fits_identity", _network(f"cifar_{kind}8"), None, 0, options) for kind in ("resnet", "plain")
    )
    for found in (residual, plain):
        assert found["identity_error"] < 0.8 * found["first_error"]
        assert found["rate"] == 0.01
        assert found["x"] == [0, 20, 40]
        assert len(found["identity_error_curve"]) == 3
    with pytest.raises(UsageError, match="no stages of maps"):
        look_at("fits_identity", torch.nn.Flatten(), None, 0, options)


def test_a_unit_is_timed_beside_another_one() -> None:
    options = {"unit": "stages.0.0", "against": "cifar_resnet8", "against_unit": "stages.0.0", "side": 4}
    network = _network("cifar_resnet8", widths=(32, 64, 128))
    found = look_at("unit_time", network, None, 0, {**options, "rounds": 1, "batch": 2})
    assert found["weights_ratio"] == 4
    assert found["time_ratio"] > 0.5  # it has four times the work
    with pytest.raises(UsageError, match="no unit 'stages\\.9\\.0'"):
        look_at("unit_time", network, None, 0, {**options, "unit": "stages.9.0"})


@pytest.mark.parametrize(
    ("unit", "share"), [("stages.0.1", 100 * 2 * 256 * 64 / 69_632), ("stages.0.0", 31.0)]
)
def test_the_share_of_1x1_convolutions_in_a_bottleneck(unit: str, share: float) -> None:
    with torch.device("meta"):
        network = build(model_spec("resnet50_v1"))
    found = look_at("branch_weights", network, None, 0, {"unit": unit})
    assert found["pointwise_share"] == pytest.approx(share, abs=5.0 if unit == "stages.0.0" else 1e-9)


def test_a_net_of_3x3_convolutions_has_no_share_of_1x1() -> None:
    assert look_at("cost", _network("cifar_resnet8"), None, 0, {})["pointwise_share"] == 0
    assert look_at("cost", _network("cifar_resnet8", shortcut="C"), None, 0, {})["pointwise_share"] > 3


def test_small_weights_leave_the_gradient_near_the_identity() -> None:
    small, he = (
        look_at("transmitted", None, None, 0, {"construction": name}) for name in ("small_relu", "he_relu")
    )
    assert 0.99 < small["least"] < 1 < small["greatest"] < 1.01
    assert he["least"] < 0.5 < 10 < he["greatest"]


def test_one_plus_n_e_is_right_while_n_e_is_small() -> None:
    tiny, large = (look_at("scalar_growth", None, None, 0, {"factor": 1 + e}) for e in (1e-5, 0.1))
    assert tiny["first_order_error"] == pytest.approx((99e-5) ** 2 / 2, rel=0.1)
    assert large["first_order"] == pytest.approx(10.9)
    assert large["first_order_error"] > 0.999

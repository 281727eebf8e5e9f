"""Looks of the theory, against networks whose answer is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from residua.experiments.look_at import look_at
from residua.loading import create_model


def _see(kind: str, network: Any, data: Any, seed: int, **options: Any) -> dict[str, Any]:
    return look_at(kind, network, data, seed, options)


def _network(name: str, **changes):
    torch.manual_seed(0)
    return create_model(name, num_classes=10, in_channels=1, **changes)


def test_products_are_exponential() -> None:
    up, down = (
        _see("scalar_growth", None, None, 0, factor=1.1),
        _see("scalar_growth", None, None, 0, factor=0.9),
    )
    assert up["product"] == pytest.approx(12_527.829, rel=1e-6)
    assert down["product"] == pytest.approx(2.951266e-05, rel=1e-6)
    assert up["degree_ratio"] == pytest.approx(2.0)
    # 1 + 1/99 is e = O(1/L) at 99 units; at a fixed e it is exponential all the same
    assert _see("scalar_growth", None, None, 0, factor=1 + 1 / 99)["product"] == pytest.approx(
        2.7048, rel=1e-4
    )


@pytest.mark.parametrize(
    ("construction", "least", "greatest"),
    [
        ("negation", 0.0, 0.0),
        ("opposed", 0.9**99, 0.9**99),
        ("aligned", 1.1**99, 1.1**99),
        ("nilpotent", (26**0.5 - 5), (26**0.5 + 5)),  # of [[1, 10], [0, 1]]
    ],
)
def test_constructions_have_the_singular_values_of_theory(
    construction: str, least: float, greatest: float
) -> None:
    found = _see("transmitted", None, None, 0, construction=construction)
    assert found["least"] == pytest.approx(least, rel=1e-9, abs=1e-15)
    assert found["greatest"] == pytest.approx(greatest, rel=1e-9, abs=1e-15)


def test_random_products_lie_within_the_bounds_and_below_one() -> None:
    first, second = (_see("transmitted", None, None, seed, construction="random") for seed in (0, 1))
    assert 0.9**99 < first["least"] < 1 < first["greatest"] < 1.1**99
    assert first != second


def test_gradient_through_identity_units_is_transmitted_whole(digits) -> None:
    network = _network("cifar_preact_resnet8", depths=(2, 2, 2), zero_init=True).eval()
    found = _see("transmitted", network, digits, 0, images=8)
    assert found["least"] == pytest.approx(1.0, abs=1e-12)
    assert found["greatest"] == pytest.approx(1.0, abs=1e-12)
    assert len(found["least_by_unit"]) == 4  # two of the six change the shape


def test_xavier_without_norms_vanishes_where_he_does_not(digits) -> None:
    plain = _network("cifar_plain20")
    state = {key: value.clone() for key, value in plain.state_dict().items()}
    he = _see("signal", plain, digits, 0, init="He", norms=False, borders=False, images=16)
    xavier = _see("signal", plain, digits, 0, init="Xavier", norms=False, borders=False, images=16)
    assert 0.8 < he["layer_factor"] < 1.25
    assert 0.4 < xavier["layer_factor"] < 0.6
    assert xavier["log10_ratio"] < he["log10_ratio"] - 1
    assert len(he["gradient_norm"]) == 9
    assert he["log10_layer_10"] > xavier["log10_layer_10"]
    assert all(torch.equal(state[key], value) for key, value in plain.state_dict().items())
    assert all(parameter.grad is None for parameter in plain.parameters())


def test_network_as_it_is_is_not_drawn_anew(digits) -> None:
    network = _network("cifar_resnet14")
    as_it_is, again = (_see("signal", network, digits, seed, images=8) for seed in (0, 1))
    drawn = _see("signal", network, digits, 1, init="He", images=8)
    assert as_it_is == again
    assert drawn["log10_layer_1"] != as_it_is["log10_layer_1"]


def test_draws_are_averaged_and_no_seed_repeats_one_of_another(digits) -> None:
    network = _network("cifar_plain14")
    options = {"init": "He", "norms": False, "images": 4}
    single = [_see("signal", network, digits, seed, **options) for seed in range(4)]
    pair = _see("signal", network, digits, 1, draws=2, **options)
    for name in ("layer_factor", "log10_gain"):
        assert pair[name] == pytest.approx((single[2][name] + single[3][name]) / 2)
    assert pair["gradient_norm"] == pytest.approx(single[2]["gradient_norm"])


def test_singular_values_of_units_that_do_nothing_are_one(digits) -> None:
    network = _network("cifar_preact_resnet8", depths=(1, 1, 3), zero_init=True).eval()
    found = _see("singular_values", network, digits, 0, most=256)
    assert found["smallest"] == pytest.approx(1.0)
    assert found["largest"] == pytest.approx(1.0)
    assert found["1_plus_e_l"] == found["1_minus_e_l"] == [1.0] * 4  # the bounds, of branches whose norm is 0
    assert found["smallest_curve"] == pytest.approx([1.0] * len(found["x"]))


def test_without_a_gradient_there_is_no_logarithm(digits) -> None:
    network = _network("cifar_resnet8")
    head = next(module for module in reversed(list(network.modules())) if isinstance(module, nn.Linear))
    assert _see("signal", network, digits, 0, images=8)["log10_layer_1"] is not None
    with torch.no_grad():
        head.weight.zero_()
    assert _see("signal", network, digits, 0, images=8)["log10_layer_1"] is None


def test_looks_are_in_the_table(digits) -> None:
    assert look_at("scalar_growth", None, digits, 0, {"factor": 2.0})["product"] == 2.0**99

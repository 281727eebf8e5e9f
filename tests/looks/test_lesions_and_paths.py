"""Looks that ask the analysis, against networks whose answer is known."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from residua.errors import UsageError
from residua.evaluation.opener import some_of
from residua.experiments.look_at import look_at
from residua.loading import create_model


def _see(kind: str, network: Any, data: Any, seed: int, **options: Any) -> dict[str, Any]:
    return look_at(kind, network, data, seed, options)


def _network(name: str, **changes):
    torch.manual_seed(0)
    return create_model(name, num_classes=10, in_channels=1, **changes).eval()


def test_shown_images_are_evenly_spaced_and_normalised(digits) -> None:
    _, images, labels = some_of(digits, "test", 10_000)
    assert len(images) == len(labels) == len(digits.test)
    assert images.dtype == torch.float32
    _, few, some = some_of(digits, "test", 2)
    assert torch.equal(few, images[[0, -1]])
    assert torch.equal(some, labels[[0, -1]])


def test_finding_gives_figures_and_a_panel(digits) -> None:
    network = _network("cifar_preact_resnet8")
    found = _see("unroll", network, digits, 0, images=4, panel=0)
    assert found["relative_error"] < 1e-12
    assert found["x"] == [1.0, 2.0, 3.0]
    assert set(found) >= {"one_unit", "from_the_stretch_s_start"}
    assert "x" not in _see("unroll", network, digits, 0, images=4)


def test_finding_hands_options_on_and_refuses_unknown_ones(digits) -> None:
    network = _network("cifar_resnet8")
    assert _see("landscape", network, digits, 0, images=4, points=5)["points"] == 5
    with pytest.raises(UsageError):
        _see("landscape", network, digits, 0, images=4, dots=5)


def test_paths_are_binomial(digits) -> None:
    network = _network("cifar_resnet20")
    found = _see("path_counts", network, digits, 0, ranges={"short": (0, 1), "all": (0, 9)})
    assert found["log2_paths"] == 9
    assert found["short"] == pytest.approx(100 * 10 / 2**9)
    assert found["all"] == 100
    assert found["share_of_paths"] == pytest.approx([100 * math.comb(9, k) / 2**9 for k in range(10)])


def test_units_that_do_nothing_are_not_missed(digits) -> None:
    """Branches at zero: a deleted unit, or another order, changes no answer."""
    network = _network("cifar_preact_resnet8", depths=(3, 3, 3), zero_init=True)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    found = _see("lesions", network, digits, 0, images=16, draws=2)
    assert found["one_deleted"] == found["worst_deleted"] == 0
    assert found["halving_deleted"] == 0  # the two that change the shape keep their shortcut
    assert found["deletable"] == 9
    assert found["order_correlation"] is None  # nothing varies
    assert found["largest_step"] is None
    assert found["chance_gap"] == pytest.approx(found["chance"] - found["error"])
    assert len(set(found["error_by_deleted_units"])) == 1
    assert all(torch.equal(state[key], value) for key, value in network.state_dict().items())


def test_lesions_are_measured_from_the_intact_network(digits) -> None:
    network = _network("cifar_plain20")
    found = _see("lesions", network, digits, 0, images=32, draws=2)
    assert found["x"][0] == 0
    assert found["error_by_deleted_units"][0] == found["error"]
    assert found["deletable"] == 7  # two of the nine units change the shape
    assert found["x"] == [0, 1, 2, 4]

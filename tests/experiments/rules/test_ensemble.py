from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from residua.experiments.rules.ensemble import EnsembleGain, error
from residua.looks.probabilities import packed, unpacked

RULE = EnsembleGain(("a", "b", "c"), than="b", smallest=0.5)


def _values(shares: np.ndarray) -> dict[str, Any]:
    return {"classes": shares.shape[1], "probabilities": packed(shares)}


def _world(make: Any) -> dict[str, dict[int, dict[str, Any]]]:
    return {
        arm: {seed: _values(make(i, np.random.default_rng(seed))) for seed in range(5)}
        for i, arm in enumerate(RULE.arms)
    }


def test_probabilities_come_back_as_they_went() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(10), 50)
    assert np.abs(unpacked(_values(shares)) - shares).max() < 1e-5


def test_a_tie_is_an_error() -> None:
    assert error(np.array([[0.5, 0.5], [0.6, 0.4], [0.4, 0.6], [0.7, 0.3]])) == 50


def test_networks_that_err_on_different_images_gain() -> None:
    def member(index: int, draw: np.random.Generator) -> np.ndarray:
        wrong = draw.permutation(300)[:60] % 3 == index  # a third of the images each, at most
        shares = np.tile([0.9, 0.1], (300, 1))
        shares[index : 3 * int(wrong.sum()) : 3] = [0.4, 0.6]
        return shares

    assert RULE.check(_world(member)).status == "direction reproduced"


def test_one_loud_network_that_errs_spoils_the_ensemble() -> None:
    def member(index: int, draw: np.random.Generator) -> np.ndarray:
        right = np.tile([0.55, 0.45] if index else [0.0, 1.0], (300, 1))
        right[: draw.integers(5, 15)] = [0.3, 0.7]
        return right

    check = RULE.check(_world(member))
    assert check.status == "not reproduced"
    assert "together 100 %" in check.reason


def test_networks_that_are_all_the_same_gain_nothing_that_matters() -> None:
    shares = np.tile([0.9, 0.1], (300, 1))
    assert RULE.check(_world(lambda *_: shares)).status == "no difference that matters"


def test_more_than_the_mean_member_is_asked_for() -> None:
    """Two poor networks beside a good one: together they beat their mean, and not the best of them."""

    def member(index: int, draw: np.random.Generator) -> np.ndarray:
        shares = np.tile([0.9, 0.1], (300, 1))
        shares[: draw.integers(2, 5) if index == 1 else draw.integers(100, 120)] = [0.1, 0.9]
        return shares

    assert RULE.check(_world(member)).status == "not reproduced"


@pytest.mark.parametrize("world", [{}, {"a": {0: {}}}])
def test_without_probabilities_it_is_undecided(world: Any) -> None:
    assert RULE.check(world).status == "undecided"

"""The Frechet distance against closed forms, scipy's matrix root and planted differences."""

import math

import pytest
import torch

from residua.analysis.frechet import Gaussian, frechet_distance
from residua.errors import UsageError


def features(n=200, d=12, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=random) @ torch.randn(d, d, generator=random)


def test_equal_sets_are_at_distance_zero():
    values = features()
    assert frechet_distance(Gaussian.of(values), Gaussian.of(values)) == pytest.approx(0, abs=1e-8)


def test_a_shift_gives_its_squared_length():
    values, shift = features(), torch.linspace(-1, 2, 12)
    distance = frechet_distance(Gaussian.of(values), Gaussian.of(values.double() + shift))
    assert distance == pytest.approx(float(shift.square().sum()), rel=1e-6)


def test_diagonal_covariances_have_a_closed_form():
    a, b = torch.rand(9).double() * 4, torch.rand(9).double() * 4
    mean = torch.zeros(9).double()
    distance = frechet_distance(Gaussian(mean, a.diag()), Gaussian(mean + 1, b.diag()))
    assert distance == pytest.approx(9 + float((a.sqrt() - b.sqrt()).square().sum()), rel=1e-10)


@pytest.mark.parametrize("n", [5, 300])  # fewer samples than features: singular covariances
def test_it_is_the_distance_by_the_root_of_the_product(n):
    linalg = pytest.importorskip("scipy.linalg")
    a, b = Gaussian.of(features(n, seed=1)), Gaussian.of(features(n, seed=2))
    root = linalg.sqrtm((a.covariance @ b.covariance).numpy()).real
    trace = float(a.covariance.trace() + b.covariance.trace()) - 2 * root.trace()
    expected = float((a.mean - b.mean).square().sum()) + trace
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-4)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-8)


def test_sums_over_batches_give_the_gaussian_of_the_whole():
    values = features() + 50
    parts = [part.double() for part in values.split(64)]
    whole = Gaussian.of(values)
    summed = Gaussian.of_sums(sum(p.sum(0) for p in parts), sum(p.T @ p for p in parts), len(values))
    torch.testing.assert_close(summed.covariance, values.double().T.cov())
    torch.testing.assert_close(summed.covariance, whole.covariance)


def test_what_is_not_finite_is_nan_and_what_does_not_fit_is_refused():
    values = features()
    broken = values.clone()
    broken[0, 0] = math.inf
    assert math.isnan(frechet_distance(Gaussian.of(values), Gaussian.of(broken)))
    with pytest.raises(UsageError, match="equally long, not 12 and 11"):
        frechet_distance(Gaussian.of(values), Gaussian.of(values[:, 1:]))
    with pytest.raises(UsageError, match="at least one"):
        Gaussian.of(values[:0])

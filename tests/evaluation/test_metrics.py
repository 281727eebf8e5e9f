"""Every metric against a slow, independent reference written out here."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from residua.errors import ResiduaError
from residua.evaluation import metrics


@st.composite
def scored(draw):
    """Logits, rounded so that ties happen, and labels."""
    n, k = draw(st.integers(1, 12)), draw(st.integers(2, 7))
    logits = draw(hnp.arrays(np.float32, (n, k), elements=st.integers(-6, 6).map(lambda v: v / 2)))
    labels = draw(hnp.arrays(np.int64, n, elements=st.integers(0, k - 1)))
    return logits, labels


@given(scored())
def test_log_softmax_is_the_log_of_normalised_exponentials(case):
    logits, _ = case
    got = metrics.log_softmax(logits)
    for row, out in zip(logits.tolist(), got, strict=True):
        total = math.fsum(math.exp(v) for v in row)
        assert out == pytest.approx([math.log(math.exp(v) / total) for v in row], abs=1e-12)


def test_log_softmax_survives_large_logits():
    assert metrics.log_softmax(np.array([[1e4, 0.0]]))[0] == pytest.approx([0, -1e4])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_refused_and_not_counted_as_right(bad):
    with pytest.raises(ResiduaError, match="not finite for 1 of 2 images"):
        metrics.log_softmax(np.array([[0.0, 1.0], [bad, 0.0]]))


@given(st.lists(hnp.arrays(np.float64, (3, 4), elements=st.floats(-30, 30)), min_size=1, max_size=4))
def test_log_mean_averages_probabilities(logits):
    parts = [metrics.log_softmax(one) for one in logits]
    assert np.exp(metrics.log_mean(parts)) == pytest.approx(
        sum(np.exp(p) for p in parts) / len(parts), abs=1e-12
    )


@given(scored())
def test_ranks_are_places_in_a_stable_order(case):
    logits, labels = case
    got = metrics.ranks(logits, labels)
    for row, label, rank in zip(logits.tolist(), labels.tolist(), got, strict=True):
        order = sorted(range(len(row)), key=lambda c: (-row[c], c))
        assert order.index(label) == rank
    assert ((got == 0) == (logits.argmax(1) == labels)).all()


@given(scored())
def test_reliability_and_calibration_error(case):
    logits, labels = case
    log_p = metrics.log_softmax(logits)
    bins = metrics.reliability(log_p, labels)
    members = {b: [] for b in range(15)}
    for row, label in zip(np.exp(log_p), labels, strict=True):
        confidence = float(row.max())
        b = next(b for b in range(15) if confidence <= (b + 1) / 15 or b == 14)
        members[b].append((confidence, float(row.argmax() == label)))
    expected = 0.0
    for b, item in enumerate(bins):
        assert item.n == len(members[b])
        if members[b]:
            confidence, accuracy = np.mean(members[b], axis=0)
            assert (item.confidence, item.accuracy) == pytest.approx((confidence, accuracy))
            expected += len(members[b]) / len(labels) * abs(confidence - accuracy)
        else:
            assert item.confidence is None
            assert item.accuracy is None
    assert metrics.expected_calibration_error(bins) == pytest.approx(expected)


@given(scored())
def test_confusion_and_per_class(case):
    logits, labels = case
    predicted, classes = logits.argmax(1), logits.shape[1]
    confusion = metrics.confusion_matrix(predicted, labels, classes)
    pairs = list(zip(labels.tolist(), predicted.tolist(), strict=True))
    assert confusion.tolist() == [[pairs.count((t, p)) for p in range(classes)] for t in range(classes)]
    for i, row in enumerate(metrics.per_class(confusion, [f"c{i}" for i in range(classes)])):
        given_it, are_it = sum(p == i for _, p in pairs), sum(t == i for t, _ in pairs)
        assert (row["class"], row["n"]) == (f"c{i}", are_it)
        assert row["recall"] == (pairs.count((i, i)) / are_it if are_it else None)
        assert row["precision"] == (pairs.count((i, i)) / given_it if given_it else None)


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 8, 9, 20, 100])
def test_t_quantiles_leave_a_fortieth_in_each_tail(freedom):
    # the density of Student's t, integrated with x = tan(u)
    scale = math.gamma((freedom + 1) / 2) / math.gamma(freedom / 2) / math.sqrt(freedom * math.pi)
    u = np.linspace(math.atan(metrics.t_quantile(freedom)), math.pi / 2, 200_001)[:-1]
    density = scale * (1 + np.tan(u) ** 2 / freedom) ** (-(freedom + 1) / 2) / np.cos(u) ** 2
    assert np.trapezoid(density, u) == pytest.approx(0.025, abs=2e-5)


def test_t_interval_of_three_seeds():
    # 4.303 standard errors: mean 0.9, deviation 0.01
    low, high = metrics.t_interval([0.89, 0.90, 0.91])
    assert (low, high) == pytest.approx(
        (0.9 - 4.30265 * 0.01 / 3**0.5, 0.9 + 4.30265 * 0.01 / 3**0.5), rel=1e-5
    )

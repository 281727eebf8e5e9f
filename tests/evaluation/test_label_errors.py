"""Labels that were made wrong are found, by networks that did not train on the image."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.errors import UsageError
from residua.evaluation.label_errors import suspects
from residua.evaluation.out_of_fold import _folds, out_of_fold
from residua.evaluation.outputs import Outputs
from residua.runs.folder import RunFolder


def outputs(probabilities, labels):
    p = np.asarray(probabilities, float)
    return Outputs(
        log_probabilities=np.log(p / p.sum(1, keepdims=True)),
        labels=np.asarray(labels),
        positions=np.arange(len(labels)),
    )


def planted(n=600, classes=5, flipped=30, seed=0):
    """Answers of a good network, which knows nothing of the labels, of which some were flipped."""
    random = np.random.default_rng(seed)
    true = random.integers(classes, size=n)
    p = random.dirichlet(np.ones(classes), n) * 0.4
    p[np.arange(n), true] += 0.6
    labels, wrong = true.copy(), random.choice(n, flipped, replace=False)
    labels[wrong] = (true[wrong] + random.integers(1, classes, flipped)) % classes
    return outputs(p, labels), set(wrong.tolist()), true


def test_of_flipped_labels_most_are_found_and_the_true_class_is_suggested():
    shown, wrong, true = planted()
    found = suspects(shown)
    listed = {one.index for one in found}
    assert listed <= wrong and len(listed) >= 0.6 * len(wrong)  # the rest do not reach the threshold
    assert all(one.suggested == true[one.index] for one in found)
    assert [one.label_probability - one.suggested_probability for one in found] == sorted(
        one.label_probability - one.suggested_probability for one in found
    )


def test_thresholds_are_of_each_class():
    """A class that the network is never sure of is not suspected for that (Northcutt et al. 2021, sec. 3.1)."""
    sure, unsure = [0.9, 0.1], [0.45, 0.55]  # images of class 0 and of class 1
    shown = outputs([sure] * 10 + [unsure] * 9 + [[0.55, 0.45]], [0] * 10 + [1] * 10)
    assert suspects(shown) == []  # the last is more likely of class 0, but far below what class 0 looks like


@given(st.integers(1, 30), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_whatever_the_answers_a_suspect_is_a_doubt(n, classes, seed):
    random = np.random.default_rng(seed)
    shown = outputs(random.dirichlet(np.ones(classes), n), random.integers(classes, size=n))
    for one in suspects(shown):
        assert one.suggested != one.label == shown.labels[one.index]
        assert 0 <= one.label_probability <= 1 and 0 <= one.suggested_probability <= 1


@given(st.lists(st.integers(0, 3), min_size=4, max_size=60), st.integers(2, 4))
def test_folds_hold_every_image_once_and_every_class_alike(labels, folds):
    labels = np.array(labels)
    dealt = [*_folds(labels, folds)]
    assert np.array_equal(np.sort(np.concatenate(dealt)), np.arange(len(labels)))
    for label in np.unique(labels):
        counts = [int((labels[held] == label).sum()) for held in dealt]
        assert max(counts) - min(counts) <= 1


def test_a_run_that_is_not_complete_is_refused(make_run):
    run = make_run()
    (run / "result.json").unlink()
    with pytest.raises(UsageError, match="no complete run of a classifier"):
        out_of_fold(RunFolder(run))


@pytest.mark.parametrize("folds", [1, 21])
def test_folds_are_some(make_run, folds):
    with pytest.raises(UsageError, match="folds are 2 to 20"):
        out_of_fold(RunFolder(make_run()), folds=folds)


def test_the_list_is_read_back_as_it_is():
    from residua.cli.labels import _csv

    rows = [
        {"image": 'a, "b"\n.png', "label": "x", "suggested": "y", "label_probability": 0.25}
        | {"suggested_probability": 0.75}
    ]
    (row,) = csv.DictReader(io.StringIO(_csv(rows)))
    assert row["image"] == 'a, "b"\n.png' and float(row["label_probability"]) == 0.25

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.report.diagnosis import Course, diagnose

LN10 = math.log(10)


def run(name, train, held_out, *, loss=None, images=10_000, train_images=50_000, shares=(0.1,) * 10):
    """A run of 20 epochs whose training accuracy rises from chance to ``train``."""
    start = max(shares)
    accuracy = [start + (train - start) * min(1, 2 * epoch / 19) for epoch in range(20)]
    losses = [LN10 * (1 - a) + 0.01 for a in accuracy] if loss is None else [LN10] * 17 + [loss] * 3
    return Course(
        name=name,
        train_loss=losses,
        train_accuracy=accuracy,
        train_images=train_images,
        accuracy=held_out,
        images=images,
        shares=shares,
    )


GOOD = run("resnet56", 0.999, 0.93)


@pytest.mark.parametrize(
    ("worse", "kind"),
    [
        (run("plain56", 0.97, 0.90), "degraded"),  # He et al. 2015, figure 1
        (
            run("resnet1202", 0.9995, 0.91),
            "overfitted",
        ),  # sec. 4.2: the same training error, a higher test error
        (run("same", 0.999, 0.91), "overfitted"),
        (run("dead", 0.12, 0.11), "not learning"),
        (run("stuck", 0.3, 0.28, loss=2.25), "not learning"),  # above 95 % of ln 10
        (run("diverged", 0.6, 0.1, loss=math.nan), "not learning"),
        (run("exploded", 0.6, 0.1, loss=math.inf), "not learning"),
        (run("seed1", 0.98, 0.9279), "no clear difference"),
    ],
)
def test_planted_curves(worse, kind):
    for found in (diagnose(worse, GOOD), diagnose(GOOD, worse)):
        assert found.kind == kind
        assert worse.name in found.sentence


@pytest.mark.parametrize(
    ("worse", "not_kind", "kind"),
    [
        # A higher training error that 1,000 images cannot tell from the other is no degradation.
        (run("few", 0.996, 0.90, train_images=1000), "degraded", "overfitted"),
        # A test error far above its own training error is no overfitting where the training error is higher too.
        (run("gap", 0.98, 0.70), "overfitted", "degraded"),
        # Slow is not dead: 20 % of ten classes is twice chance.
        (run("slow", 0.25, 0.24, loss=2.0), "not learning", "degraded"),
        # The same accuracy is a clear difference on more images.
        (run("seed1", 0.98, 0.9279, images=1_000_000), "no clear difference", "degraded"),
    ],
)
def test_counterexamples(worse, not_kind, kind):
    better = run("better", 0.999, 0.93, images=worse.images, train_images=worse.train_images)
    assert diagnose(worse, better).kind == kind != not_kind


def test_a_majority_class_is_chance_too():
    shares = (0.9, 0.1)
    lazy = run("lazy", 0.9, 0.9, loss=0.3249, shares=shares)  # the entropy of 9 : 1 is 0.325, far below ln 2
    assert diagnose(lazy, run("fine", 0.99, 0.98, shares=shares)).kind == "not learning"
    assert diagnose(run("even", 0.9, 0.9, loss=0.3249, shares=(0.5, 0.5)), GOOD).kind == "degraded"


def test_one_bad_epoch_at_the_end_decides_nothing():
    curve = [0.9999] * 20
    worse = run("w", 0.9999, 0.91)
    spiked = Course(**{**worse.__dict__, "train_accuracy": [*curve[:-1], 0.5]})
    assert diagnose(spiked, GOOD).kind == "overfitted"


def test_without_the_number_of_images_nothing_is_clear():
    found = diagnose(run("a", 0.9, 0.5, images=None), GOOD)
    assert found.kind == "no clear difference" and "not known" in found.sentence


def test_without_the_number_of_training_images_any_gap_counts():
    worse = run("w", 0.9989, 0.90, train_images=None)
    assert diagnose(worse, GOOD).kind == "degraded"


def test_both_dead_is_said():
    assert diagnose(run("a", 0.1, 0.1), run("b", 0.1, 0.1)).kind == "not learning"


def test_the_sentence_gives_its_numbers_in_both_languages():
    worse = run("plain56", 0.97, 0.90)
    for lang in ("en", "zh"):
        sentence = diagnose(worse, GOOD, lang=lang).sentence.replace("\N{NO-BREAK SPACE}", " ")
        for part in ("plain56", "resnet56", "10.00 %", "7.00 %", "3.00 %", "0.10 %", "He"):
            assert part in sentence


@given(*[st.floats(0, 1)] * 4, *[st.integers(1, 10**6)] * 2, st.integers(2, 1000))
def test_any_two_runs_get_one_of_the_four(train_a, a, train_b, b, n, m, classes):
    shares = (1 / classes,) * classes
    outcomes = [
        run("a", train_a, a, images=n, train_images=m, shares=shares),
        run("b", train_b, b, images=n, train_images=m, shares=shares),
    ]
    found = diagnose(*outcomes)
    assert found.kind in ("degraded", "overfitted", "not learning", "no clear difference")
    if a != b:
        assert diagnose(*reversed(outcomes)) == found

"""What is said of a finished run: planted answers of every kind, and answers that do not look at the image."""

import json
import math
import string
import tomllib
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.errors import ResiduaError, UsageError
from residua.evaluation import inspect_run
from residua.evaluation.outcome import judge
from residua.runs.folder import RunFolder
from residua.runs.outcome import Outcome, advised, next_step, reasons, told, word
from residua.spec.check import check

NAMES = [f"c{i}" for i in range(10)]


def judged(confusion, *, training=None, train_counts=None, loss=0.5, epochs=10, steps=1000, lr=0.1):
    k = len(confusion)
    return judge(
        confusion,
        NAMES[:k],
        train_counts=train_counts or [100] * k,
        training=training,
        loss=loss,
        epochs=epochs,
        steps=steps,
        lr=lr,
    )


def even(classes, right, each=20):
    """``right`` of ``each`` images of every class are told right, the others fall on the next class."""
    rows = np.zeros((classes, classes), int)
    for i in range(classes):
        rows[i, i], rows[i, (i + 1) % classes] = right, each - right
    return rows.tolist()


CASES = {
    "good": (judged(even(4, 18), training=(99, 100)), "learned", None, "use it"),
    "chance": (judged(even(4, 5), training=(30, 100)), "not learned", "underfitted", "train longer"),
    "random labels learned by heart": (
        judged(even(4, 5), training=(100, 100)),
        "not learned",
        "by heart",
        "look at the data",
    ),
    "overfitted": (judged(even(4, 12), training=(100, 100)), "learned", "overfitted", "augment"),
    "underfitted": (judged(even(4, 12), training=(60, 100)), "learned", "underfitted", "train longer"),
    "one class": (judged([[20, 0, 0], [20, 0, 0], [20, 0, 0]]), "collapsed", None, "learn slower"),
    "one class, hardly trained": (judged([[20, 0], [20, 0]], steps=12), "collapsed", None, "train longer"),
    "three of ten classes": (
        judged([[20 if j == i % 3 else 0 for j in range(10)] for i in range(10)]),
        "collapsed",
        None,
        "learn slower",
    ),
    "diverged": (judged(even(4, 5), loss=1e7), "diverged", None, "learn slower"),
    "no number": (judged(even(4, 5), loss=math.nan), "diverged", None, "learn slower"),
    "few test images": (judged(even(2, 3, each=4)), "too few images", None, "look at the data"),
    "few training images": (
        judged(even(4, 6), train_counts=[4, 4, 4, 1]),
        "too few images",
        None,
        "look at the data",
    ),
    # 95 % of the images are c0: always answering it is right more often, and tells nothing apart
    "balanced": (judged([[340, 40], [1, 19]]), "learned", None, "use it"),
    "majority alone": (judged([[380, 0], [20, 0]]), "not learned", None, "look at the data"),
}


@pytest.mark.parametrize("name", CASES)
def test_planted_answers(name):
    outcome, status, fit, advice = CASES[name]
    assert (outcome.status, outcome.fit, outcome.advice) == (status, fit, advice), outcome


def test_the_sentence_holds_the_figures():
    said = told(CASES["good"][0])
    assert said.startswith("Learned: 72 of 80 test images right (90.0%; 95 % interval 81.")
    assert 'always answering "c0" would get 25.0%' in said
    assert "its training images it is right on 100.0%" in told(CASES["random labels learned by heart"][0])
    assert '100.0% of the answers on 60 test images are "c0"' in told(CASES["one class"][0])
    assert "3 of the 10 classes" in told(CASES["three of ten classes"][0])
    assert "c3 (1), c0 (4), c1 (4), c2 (4)" in told(CASES["few training images"][0])
    assert "90.0" not in told(CASES["balanced"][0]) and "balanced accuracy" in told(CASES["balanced"][0])


def test_many_small_classes_are_counted_not_listed():
    outcome = judged(even(10, 2), train_counts=[3] * 10)
    assert "and 5 more" in told(outcome) and len(outcome.few) == 10


def test_of_labels_without_meaning_hardly_any_is_called_learned():
    """The interval is of 95 %: above the baseline by chance lies at most a fortieth, and some for rounding."""
    random = np.random.default_rng(0)
    called = 0
    for _ in range(1000):
        classes = int(random.choice([2, 4, 10]))
        truth, answers = random.integers(classes, size=(2, 100))
        confusion = np.bincount(truth * classes + answers, minlength=classes**2).reshape(classes, classes)
        called += judged(confusion.tolist()).status == "learned"
    assert called <= 35, called


@st.composite
def confusions(draw):
    k = draw(st.integers(2, 6))
    rows = draw(st.lists(st.lists(st.integers(0, 50), min_size=k, max_size=k), min_size=k, max_size=k))
    rows[0][0] += 1
    return rows


@given(
    confusions(),
    st.one_of(st.none(), st.tuples(st.integers(0, 50), st.just(50))),
    st.one_of(st.none(), st.floats(allow_nan=True)),
)
def test_whatever_was_answered_is_judged_told_and_kept(confusion, training, loss):
    outcome = judged(confusion, training=training, loss=loss)
    assert 0 <= outcome.interval[0] <= outcome.right / outcome.n <= outcome.interval[1] <= 1
    assert 0 <= outcome.balanced_interval[0] <= outcome.balanced <= outcome.balanced_interval[1] <= 1
    for lang in ("en", "zh"):
        assert told(outcome, lang).startswith(word(outcome.status, lang)) and advised(outcome, lang)
        assert "{" not in told(outcome, lang)
    stored = check(json.loads(json.dumps(outcome.to_dict())), Outcome, "outcome")
    assert repr(stored) == repr(outcome)  # nan is not itself


def test_both_languages_say_the_same_of_everything():
    texts = tomllib.loads(files("residua.runs").joinpath("outcome.toml").read_text(encoding="utf-8"))
    fields = [
        {
            key: {field for _, field, _, _ in string.Formatter().parse(str(text)) if field}
            for key, text in t.items()
        }
        for t in (texts["en"], texts["zh"])
    ]
    assert {**fields[0], "few": fields[0]["few"]} == fields[1]
    assert set(texts["en"]["words"]) == set(texts["zh"]["words"])
    with pytest.raises(UsageError, match="not told in 'fr'"):
        reasons(CASES["good"][0], "fr")


def test_the_next_step_is_quoted_for_a_shell():
    """A run or a folder may be called anything."""
    for outcome, *_ in CASES.values():
        said = next_step(outcome, "my runs/one", model="cifar_resnet20", data="folder:my photos; rm -rf ~")
        assert said.startswith("residua ")
        assert "'my runs/one'" in said or "'folder:my photos; rm -rf ~'" in said


@pytest.mark.parametrize(
    ("begun", "said"),
    [
        (
            ["residua", "train", "my photos", "--epochs", "3", "--run-dir", "R", "--lr=1", "--overwrite"],
            "residua train 'my photos' --epochs 3 --lr 0.01",
        ),
        (["residua", "train", "--resume", "R", "--epochs", "9"], "residua train digits --model m --lr 0.01"),
        (["pytest", "-q"], "residua train digits --model m --lr 0.01"),
        ([], "residua train digits --model m --lr 0.01"),
    ],
)
def test_a_training_anew_repeats_the_command_that_began_it(begun, said):
    assert next_step(CASES["diverged"][0], "R", model="m", data="digits", begun=begun) == said


def test_it_is_kept_in_the_inspection(make_run):
    run = make_run()
    found = inspect_run(run)
    outcome = RunFolder(run).outcome
    assert outcome is not None and outcome.to_dict() == found["outcome"]
    assert outcome.status in ("not learned", "collapsed")  # the network is untrained
    assert outcome.sentence == told(outcome)
    assert outcome.right == sum(row[i] for i, row in enumerate(found["confusion"]))
    assert outcome.training_n == 512


def test_of_a_run_that_was_extended_the_old_outcome_is_not_told(make_run):
    run = make_run()
    inspect_run(run)
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps(result | {"epochs": 7}))
    assert RunFolder(run).outcome is None
    (run / "result.json").unlink()
    assert RunFolder(run).outcome is None


def test_a_damaged_outcome_is_one_line(make_run):
    run = make_run()
    found = inspect_run(run)
    found["outcome"]["status"] = "splendid"
    (run / "inspection.json").write_text(json.dumps(found))
    with pytest.raises(ResiduaError, match=r"outcome.status must be one of 'learned'"):
        _ = RunFolder(run).outcome

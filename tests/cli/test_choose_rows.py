"""Conditions on rows, and their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.cli.choose_rows import arranged, condition
from residua.errors import UsageError

KEYS = ("run", "test", "epochs")
ROWS = [
    {"run": "b", "test": 0.5, "epochs": 10},
    {"run": "c", "test": None, "epochs": 2},
    {"run": "a1", "test": 0.25, "epochs": 10},
]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("test>=0.5", ["b"]),
        ("test<0.5", ["a1"]),
        (" epochs > 2 ", ["b", "a1"]),
        ("epochs<=2", ["c"]),
        ("epochs=10.0", ["b", "a1"]),
        ("epochs!=10", ["c"]),
        ("run=[ab]*", ["b", "a1"]),
        ("run!=a*", ["b", "c"]),
        ("test!=0.5", ["c", "a1"]),
        ("test=*", ["b", "a1"]),
        ("run=", []),
    ],
)
def test_what_a_condition_leaves(text, left):
    holds = condition(text, KEYS)
    assert [row["run"] for row in ROWS if holds(row)] == left


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("test", "takes KEY=VALUE"),
        ("=3", "takes KEY=VALUE"),
        ("tset>3", "unknown key 'tset'; did you mean 'test'"),
        ("run>b", "> needs a number, not 'b'"),
    ],
)
def test_what_is_no_condition(text, message):
    with pytest.raises(UsageError, match=message):
        condition(text, KEYS)


@given(st.text())
def test_any_text_is_a_condition_or_a_usage_error(text):
    try:
        holds = condition(text, KEYS)
    except UsageError as error:
        assert "\n" not in str(error) or "\n" in text
    else:
        assert all(holds(row) in (True, False) for row in ROWS)


def names(rows):
    return [row["run"] for row in rows]


def test_rows_are_sorted_and_those_without_the_value_come_last():
    assert names(arranged(ROWS, "test", reverse=False, keys=KEYS)) == ["a1", "b", "c"]
    assert names(arranged(ROWS, "test", reverse=True, keys=KEYS)) == ["b", "a1", "c"]
    assert names(arranged(ROWS, "run", reverse=False, keys=KEYS)) == ["a1", "b", "c"]
    assert names(arranged(ROWS, None, reverse=True, keys=KEYS)) == ["a1", "c", "b"]
    with pytest.raises(UsageError, match="--sort: unknown key 'size'"):
        arranged(ROWS, "size", reverse=False, keys=KEYS)

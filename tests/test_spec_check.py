import dataclasses
import math
from typing import Any, Literal, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.errors import ResiduaError, UsageError
from residua.spec.check import Count, Measured, Positive, Share, check
from residua.spec.stored import checked, read_stored


class Inner(TypedDict):
    kind: Literal["a", "b"]


class Table(TypedDict):
    name: str
    rows: list[list[Count]]
    share: Share | None
    inner: list[Inner] | None


@dataclasses.dataclass
class Object:
    step: Count
    best: float | None = None
    marks: list[tuple[int, str | None]] = dataclasses.field(default_factory=list)
    sums: dict[str, float] = dataclasses.field(default_factory=dict)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*Table.__annotations__, "step", "marks", "sums", "kind"]), inner)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "it must be a table of keys and values, not []"),
        ({"rows": []}, "it lacks 'name'"),
        ({"name": 1, "rows": []}, "name must be text, not 1"),
        ({"name": "", "rows": 3}, "rows must be a list, not 3"),
        ({"name": "", "rows": [[0], [1, -1]]}, "rows[1][1] must be a whole number from 0, not -1"),
        ({"name": "", "rows": [[True]]}, "rows[0][0] must be a whole number, not True"),
        ({"name": "", "rows": [[10**400]]}, "rows[0][0] must be below 2**63"),
        ({"name": "", "rows": [], "share": 1.01}, "share must be a number in [0, 1], not 1.01"),
        (
            {"name": "", "rows": [], "inner": [{"kind": "c"}]},
            "inner[0].kind must be one of 'a', 'b', not 'c'",
        ),
        ({"name": "", "rows": [], "inner": [{"kind": []}]}, "inner[0].kind must be one of 'a', 'b', not []"),
    ],
)
def test_what_is_wrong_and_where(value, said):
    with pytest.raises(UsageError) as caught:
        check(value, Table, "")
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "the state must be a table of keys and values, not None"),
        ({}, "the state lacks 'step'"),
        ({"step": -1}, "the state.step must be a whole number from 0, not -1"),
        ({"step": 1, "bset": 0.5}, "the state has no key 'bset'; did you mean 'best'?"),
        ({"step": 1, "best": math.nan}, "the state.best must be a finite number, not nan"),
        ({"step": 1, "marks": [[1]]}, "the state.marks[0] must be a list of 2, not [1]"),
        ({"step": 1, "marks": [[1, 2]]}, "the state.marks[0][1] must be text, not 2"),
        ({"step": 1, "sums": {"loss": "x"}}, "the state.sums.loss must be a number, not 'x'"),
    ],
)
def test_an_object_is_made_of_its_table_or_what_is_wrong_is_said(value, said):
    with pytest.raises(UsageError) as caught:
        check(value, Object, "the state")
    assert str(caught.value) == said


def test_an_object_gets_what_its_types_want():
    made = check({"step": 3, "best": 1, "marks": [[5, None]]}, Object, "")
    assert made == Object(step=3, best=1.0, marks=[(5, None)])
    assert type(made.best) is float


@given(JSON)
def test_any_json_is_accepted_or_refused_in_one_line(value):
    for hint in (Table, Object):
        try:
            made = check(value, hint, "FILE")
        except UsageError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 300
        else:
            assert isinstance(made["name"], str) if hint is Table else made.step >= 0


def test_unknown_keys_and_missing_ones_that_may_be_null_are_fine():
    value: dict[str, Any] = {"name": "", "rows": [[1]], "share": None, "new": object()}
    assert check(value, Table, "") == value


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_only_measured_values_may_be_other_than_finite(value):
    assert check(value, Measured, "x") is value
    for hint in (float, Positive, Share, Count):
        with pytest.raises(UsageError):
            check(value, hint, "x")


def test_what_a_file_holds_is_the_files_fault(tmp_path):
    (tmp_path / "a.json").write_text('{"name": 3, "rows": []}')
    with pytest.raises(ResiduaError, match=r"a\.json is damaged: name must be text, not 3") as caught:
        read_stored(tmp_path / "a.json", Table)
    assert not isinstance(caught.value, UsageError)
    with pytest.raises(ResiduaError, match="line 7 is damaged: it lacks 'name'"):
        checked({}, Table, "line 7")

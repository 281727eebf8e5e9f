import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.errors import ResiduaError
from residua.report.shape import COUNT, MEASURED, NUMBER, POSITIVE, SHARE, TEXT, Optional, check

SHAPE = {"name": TEXT, "rows": [[COUNT]], "share": Optional(SHARE)}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "rows", "share"]), inner)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([], "FILE must be a table of keys and values, not a list"),
        ({"rows": []}, "FILE lacks 'name'"),
        ({"name": 1, "rows": []}, "FILE: name must be text, not 1"),
        ({"name": "", "rows": 3}, "FILE: rows must be a list, not 3"),
        ({"name": "", "rows": [[0], [1, -1]]}, r"FILE: rows\[1\]\[1\] must be a whole number from 0, not -1"),
        ({"name": "", "rows": [[True]]}, r"FILE: rows\[0\]\[0\] must be a whole number"),
        ({"name": "", "rows": [[10**5000]]}, r"not a number beyond 2\*\*63"),
        ({"name": "", "rows": [], "share": 1.01}, r"FILE: share must be a number in \[0, 1\], not 1.01"),
        ({"name": "", "rows": [], "share": "x\n" * 90}, "share must be .{0,99}\\.\\.\\.$"),
    ],
)
def test_what_is_wrong_and_where(value, place):
    with pytest.raises(ResiduaError, match=place):
        check(value, SHAPE, "FILE")


@given(JSON)
def test_any_json_is_accepted_or_refused_in_one_line(value):
    try:
        check(value, SHAPE, "FILE")
    except ResiduaError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(value["name"], str)


def test_unknown_keys_and_missing_optional_ones_are_fine():
    check({"name": "", "rows": [[1]], "share": None, "new": object()}, SHAPE, "FILE")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_only_measured_values_may_be_other_than_finite(value):
    check(value, MEASURED, "x")
    for leaf in (NUMBER, POSITIVE, SHARE, COUNT):
        with pytest.raises(ResiduaError):
            check(value, leaf, "x")

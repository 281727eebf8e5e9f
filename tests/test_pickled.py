"""Pickles followed as data, of every protocol: what is known is made, what is not known is inert."""

import datetime
import io
import pickle
from collections import OrderedDict, defaultdict
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua import pickled
from residua.pickled import Members, Stranger, UnreadablePickle, read_pickle

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
DATA = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5) | st.integers(-9, 9), inner, max_size=4)
    ),
    max_leaves=15,
)
PROTOCOLS = st.integers(0, pickle.HIGHEST_PROTOCOL)


def read(data, names=None):
    return read_pickle(io.BytesIO(data), names or {})


@given(DATA, PROTOCOLS)
def test_data_reads_as_pickle_would(value, protocol):
    found = read(pickle.dumps(value, protocol=protocol))
    assert (found.value, found.strangers) == (value, ())


@pytest.mark.parametrize("protocol", range(2, 6))
def test_what_is_not_known_is_inert_and_named_in_order(protocol):
    value = [Fraction(1, 2), datetime.date(2020, 1, 2), Fraction(3, 4), defaultdict(list, a=1)]
    found = read(pickle.dumps(value, protocol=protocol))
    assert [type(one) for one in found.value] == [Stranger] * 4
    classes = ["fractions.Fraction", "datetime.date", "collections.defaultdict"]
    assert [name for name in found.strangers if name in classes] == classes
    assert found.value[3].items == {"a": 1}


class Plain:
    pass


def test_attributes_of_an_unknown_object_are_kept():
    value = Plain()
    value.a = [1]
    (found,) = read(pickle.dumps([value], protocol=2)).value
    assert found.state == {"a": [1]}
    assert found.name.endswith("Plain")


def test_a_name_of_the_table_makes_what_the_table_says():
    data = pickle.dumps(OrderedDict(a=1), protocol=2)
    assert read(data, {"collections OrderedDict": dict}).value == {"a": 1}
    with pytest.raises(UnreadablePickle, match="other arguments"):
        read(data, {"collections OrderedDict": lambda one: one})


@pytest.mark.parametrize("protocol", [4, 5])
def test_sets_are_lists_of_their_members(protocol):
    found = read(pickle.dumps([{1, 2}, frozenset({"a"})], protocol=protocol)).value
    assert found == [[1, 2], ["a"]]
    assert all(isinstance(one, Members) for one in found)


def test_keys_that_could_be_made_to_collide_are_left_out():
    value = {"a": 1, 2: 3, 2**61 - 1: 4, (1, 2): 5, 1.5: 6, None: 7}
    assert read(pickle.dumps(value)).value == {"a": 1, 2: 3}


def test_several_pickles_in_one_file_follow_each_other():
    file = io.BytesIO(pickle.dumps(1) + pickle.dumps("b") + b"rest")
    assert [read_pickle(file, {}).value for _ in range(2)] == [1, "b"]
    assert file.read() == b"rest"


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"N", b"NN.", b"0.", b"1.", b"a.", b"R.", b"\xff.", b"I\n.", b"(N."]
)
def test_damage_is_one_line(data):
    with pytest.raises(UnreadablePickle) as caught:
        read(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("limit", "data"), [("INSTRUCTIONS", b"N0" * 6), ("NAMES", b"ca\nb\n0" * 6)])
def test_the_budget_is_kept(monkeypatch, limit, data):
    monkeypatch.setattr(pickled, limit, 14)
    assert read(data + b"N.").value is None
    monkeypatch.setattr(pickled, limit, 5)
    with pytest.raises(UnreadablePickle, match="over 5"):
        read(data + b"N.")

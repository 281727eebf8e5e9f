import contextlib
import os
import pickle
import pickletools
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from residua.data.cifar_pickle import as_array, read_dictionary
from residua.pickled import UnreadablePickle

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.text(max_size=8)
    | st.binary(min_size=1, max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(st.text(max_size=5), PLAIN, max_size=5), st.sampled_from([1, 2, 3, 4]))
def test_plain_data_reads_as_pickle_would(value: dict[str, Any], protocol: int) -> None:
    assert read_dictionary(pickle.dumps(value, protocol=protocol)) == value


@pytest.mark.parametrize("protocol", [1, 2, 3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", "<i4", "<i8"])
def test_arrays_read_as_pickle_would(protocol: int, order: Any, dtype: str) -> None:
    array = np.arange(12, dtype=dtype).reshape((3, 4), order=order)
    read = as_array(read_dictionary(pickle.dumps({"a": array, "b": array}, protocol=protocol))["a"])
    assert np.array_equal(read, array) and read.dtype == array.dtype


def test_python_2_names_of_numpy_read_alike() -> None:
    array = np.arange(6, dtype=np.uint8)
    old = pickle.dumps({"a": array}, protocol=2).replace(
        b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"
    )
    assert b"numpy.core" in old
    assert np.array_equal(as_array(read_dictionary(old)["a"]), array)


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/residua-was-here",)


def instruction(name: str) -> bytes:
    return next(code.code for code in pickletools.opcodes if code.name == name).encode("latin-1")


REFUSED = {
    "os.system": pickle.dumps({"a": Evil()}, protocol=2),
    "os.system, by its stack name": pickle.dumps({"a": Evil()}, protocol=4),
    "another class": pickle.dumps({"a": OrderedDict()}, protocol=2),
    "an array of objects": pickle.dumps({"a": np.array([Evil()], dtype=object)}, protocol=2),
    "an array of floats": pickle.dumps({"a": np.zeros(3)}, protocol=2),
    "an array of big-endian numbers": pickle.dumps({"a": np.zeros(3, ">i4")}, protocol=2),
    "a record array": pickle.dumps({"a": np.zeros(3, [("x", "u1")])}, protocol=2),
    "a set": pickle.dumps({"a": {1}}, protocol=4),
    "a persistent id": b"}U\x01aPx\ns.",
    "an instance": b"(ios\nsystem\n.",
    "a new object": b"\x80\x02}U\x01acnumpy\nndarray\n)\x81s.",
    "a call of data": b"\x80\x02}U\x01aU\x01b)Rs.",
    "a call with other arguments": b"\x80\x02}U\x01ac_codecs\nencode\n)Rs.",
    "another encoding": b"\x80\x02}U\x01ac_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86Rs.",
    "a state for a name": b"\x80\x02}U\x01acnumpy\nndarray\n}bs.",
    "a state for a dictionary": b"\x80\x02}}b.",
    "a registered extension": b"\x80\x02\x82\x01.",
    "no dictionary": pickle.dumps([1]),
    "nothing": b"",
    "no value": b".",
    "two values": b"\x80\x02}}.",
    "an odd number of items": b"\x80\x02}(U\x01au.",
    "an unknown place of the memory": b"\x80\x02h\x05.",
    "values below a mark": b"\x80\x02}(K\x01K\x02s.",
    "an end of nothing": b"\x80\x02u.",
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_is_not_plain_data_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadablePickle) as refused:
        as_array(read_dictionary(data)["a"])
    assert "\n" not in str(refused.value)


def test_a_refused_name_is_told() -> None:
    with pytest.raises(UnreadablePickle, match="system"):
        read_dictionary(REFUSED["os.system"])


def array_pickle(shape: tuple[Any, ...], content: bytes) -> bytes:
    """A pickle of {"a": array}, written by hand, as numpy would write it for a good shape."""
    return b"".join(
        [
            b"\x80\x02}U\x01acnumpy.core.multiarray\n_reconstruct\n",
            b"cnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01",
            pickle.dumps(shape, protocol=2)[2:-1],
            b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R\x89",
            b"U" + bytes([len(content)]) + content + b"tbs.",
        ]
    )


@pytest.mark.parametrize(
    ("shape", "content"),
    [((2, 3), b"12345"), ((-1,), b"123"), (("3",), b"123"), ((2**62, 2**62), b"1"), ((0,), b"1")],
)
def test_an_array_that_does_not_fit_its_bytes_is_refused(shape: tuple[Any, ...], content: bytes) -> None:
    assert as_array(read_dictionary(array_pickle((2, 3), b"\1\2\3\4\5\6"))["a"]).tolist() == [
        [1, 2, 3],
        [4, 5, 6],
    ]
    with pytest.raises(UnreadablePickle):
        read_dictionary(array_pickle(shape, content))


@settings(max_examples=300)
@given(st.data())
def test_damaged_bytes_never_do_anything_but_be_refused(data: st.DataObject) -> None:
    good = pickle.dumps(
        {
            "data": np.arange(12, dtype=np.uint8).reshape(3, 4),
            "labels": [1, 2, 3],
            "filenames": ["a", "b", "c"],
        },
        protocol=data.draw(st.sampled_from([1, 2, 3, 4])),
    )
    bad = bytearray(good[: data.draw(st.integers(0, len(good)))])
    for _ in range(data.draw(st.integers(0, 3))):
        if bad:
            bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_dictionary(bytes(bad))
    except UnreadablePickle as error:
        assert "\n" not in str(error)


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([code.name for code in pickletools.opcodes]), max_size=30), st.binary(max_size=4)
)
def test_hostile_instructions_never_do_anything_but_be_refused(names: list[str], argument: bytes) -> None:
    body = b"".join(instruction(name) + argument for name in names)
    with contextlib.suppress(UnreadablePickle):
        read_dictionary(b"}" + body + b".")


def test_large_places_of_the_memory_take_no_memory() -> None:
    """The C unpickler makes room for every place up to the largest: 64 GB for this file of ten bytes."""
    assert read_dictionary(b"\x80\x02}r\xff\xff\xff\xff.") == {}


def test_lists_of_numbers_become_arrays() -> None:
    assert as_array([1, 2]).tolist() == [1, 2]
    for wrong in ([1, "2"], [True], [[1]], [2**70], "12", None):
        with pytest.raises(UnreadablePickle):
            as_array(wrong)

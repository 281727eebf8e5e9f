"""The pickles of CIFAR: dictionaries, lists, texts, numbers and numpy arrays, read without unpickling."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from residua.pickled import Filled, UnreadablePickle, read_pickle, text

# of arrays: pixels, and labels that somebody saved as one
ITEM_TYPES = {"u1": "u1", "i4": "<i4", "i8": "<i8"}


class _Array(Filled):
    value: np.ndarray | None = None

    def fill(self, state: Any) -> None:
        match state:
            case (
                _,
                tuple() as shape,
                _ItemType() as item,
                bool() | 0 | 1 as fortran,
                str() | bytes() as content,
            ):
                content = content.encode("latin-1") if isinstance(content, str) else content
            case _:
                raise UnreadablePickle("refused: an array is not of whole numbers")
        if not all(isinstance(side, int) and side >= 0 for side in shape):
            raise UnreadablePickle("damaged: an array's shape is not made of whole numbers")
        self.value = np.frombuffer(content, dtype=item.code).reshape(shape, order="F" if fortran else "C")


class _ItemType(Filled):
    def __init__(self, code: str) -> None:
        self.code = code

    def fill(self, state: Any) -> None:
        plain = isinstance(state, tuple) and all(part is None for part in state[2:5])
        if not plain or state[1:2] in ((">",), (b">",)):
            raise UnreadablePickle("refused: its arrays are neither little-endian nor plain")


# What a name of numpy's makes, whatever numpy would make of the same arguments


def _array(*arguments: Any) -> _Array:
    return _Array()


def _array_type(*arguments: Any) -> None:
    raise UnreadablePickle("refused: it makes an array in no way that numpy writes")


def _item_type(*arguments: Any) -> _ItemType:
    match arguments:
        case (str() | bytes() as code, *_) if text(code) in ITEM_TYPES:
            return _ItemType(ITEM_TYPES[text(code)])
    raise UnreadablePickle("refused: it holds an array of something else than whole numbers")


def _bytes(*arguments: Any) -> bytes:
    match arguments:
        case (str() as content, "latin1" | "latin-1"):
            return content.encode("latin-1")
    raise UnreadablePickle("refused: it makes bytes in no way that pickle writes")


_NAMES = {
    "numpy.core.multiarray _reconstruct": _array,
    "numpy._core.multiarray _reconstruct": _array,
    "numpy ndarray": _array_type,
    "numpy dtype": _item_type,
    "_codecs encode": _bytes,
}


def read_dictionary(data: bytes) -> dict[str | int, Any]:
    """The dictionary in a pickle of any protocol; Python 2 texts are read as latin-1, and stay so.

    Raises UnreadablePickle if it is damaged, or holds anything but data and arrays of the ``ITEM_TYPES``.
    """
    unpickled = read_pickle(io.BytesIO(data), _NAMES)
    value = unpickled.value
    if unpickled.strangers:
        raise UnreadablePickle(f"refused: it asks for {unpickled.strangers[0]!a}, which no data needs")
    if not isinstance(value, dict):
        raise UnreadablePickle("it holds no dictionary")
    return value


def as_array(value: Any) -> np.ndarray:
    """The array behind a value of ``read_dictionary``: an array, or a flat list of whole numbers as int64.

    Raises UnreadablePickle for anything else.
    """
    if isinstance(value, _Array) and value.value is not None:
        return value.value
    if type(value) is list and all(type(item) is int for item in value):
        try:
            return np.array(value, dtype=np.int64)
        except OverflowError as error:
            raise UnreadablePickle("damaged: a number is too large") from error
    raise UnreadablePickle("it has no array or list of whole numbers where one should be")

"""Pickles read as data: dictionaries, lists, texts, numbers and numpy arrays, and nothing else.

Unpickling runs whatever a file names, so nothing is unpickled here. The file is taken as the list of instructions that
it is, and those that plain data and arrays need are followed by the few lines below; a name of numpy's stands for an
inert value of this module, and any other name or instruction is refused.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ITEM_TYPES = {
    "u1": "u1",
    "i4": "<i4",
    "i8": "<i8",
}  # of arrays: pixels, and labels that somebody saved as an array


class UnreadablePickle(Exception):
    """The pickle is damaged, or asks for more than data; the message says which."""


@dataclass
class _Array:
    value: np.ndarray | None = None


@dataclass
class _ItemType:
    code: str


@dataclass
class _Machine:
    """What the instructions work on, as ``pickletools`` describes them."""

    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def pop(self, count: int) -> list[Any]:
        if count > len(self.stack) - (self.marks[-1] if self.marks else 0):
            raise UnreadablePickle("damaged: it takes more values than it has")
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items

    def pop_mark(self) -> list[Any]:
        if not self.marks:
            raise UnreadablePickle("damaged: it takes a group that never began")
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def top(self, kind: type[Any]) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise UnreadablePickle(f"damaged: a {kind.__name__} should stand here")
        return self.stack[-1]


def read_pickle(data: bytes) -> dict[str, Any]:
    """The dictionary in a pickle of any protocol; Python 2 texts are read as latin-1, and stay so.

    Raises UnreadablePickle if it is damaged, or holds anything but dictionaries with texts as keys, lists, tuples,
    texts, bytes, whole numbers, None, booleans and numpy arrays of the ``ITEM_TYPES``.
    """
    machine = _Machine()
    try:
        for code, argument, _ in pickletools.genops(data):
            if code.name == "STOP":
                break
            _step(machine, code.name, argument)
    except (ValueError, UnicodeDecodeError, KeyError, OverflowError) as error:
        raise UnreadablePickle(f"damaged: {error}") from error
    if len(machine.stack) != 1 or not isinstance(machine.stack[0], dict):
        raise UnreadablePickle("it holds no dictionary")
    return machine.stack[0]


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_VALUES = (
    *("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
)
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_GROUPS = {"TUPLE": tuple, "LIST": list}


def _step(machine: _Machine, name: str, argument: Any) -> None:
    stack, memo = machine.stack, machine.memo
    if name in _VALUES:
        stack.append(argument)
    elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
        memo[argument] = machine.top(object)
    elif name == "MEMOIZE":
        memo[len(memo)] = machine.top(object)
    elif name in ("GET", "BINGET", "LONG_BINGET"):
        stack.append(memo[argument])
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in _EMPTY:
        stack.append(_EMPTY[name]())
    elif name == "MARK":
        machine.marks.append(len(stack))
    elif name in _GROUPS:
        stack.append(_GROUPS[name](machine.pop_mark()))
    elif name in _TUPLES:
        stack.append(tuple(machine.pop(_TUPLES[name])))
    elif name in ("APPEND", "APPENDS"):
        items = machine.pop(1) if name == "APPEND" else machine.pop_mark()
        machine.top(list).extend(items)
    elif name in ("DICT", "SETITEM", "SETITEMS"):
        items = machine.pop(2) if name == "SETITEM" else machine.pop_mark()
        if name == "DICT":
            stack.append({})
        for key, value in zip(items[::2], items[1::2], strict=True):
            machine.top(dict)[_text(key)] = value
    elif name in ("GLOBAL", "STACK_GLOBAL"):
        named = argument if name == "GLOBAL" else " ".join(_text(part) for part in machine.pop(2))
        stack.append(_name(named))
    elif name == "REDUCE":
        make, arguments = machine.pop(2)
        stack.append(_made(make, arguments))
    elif name == "BUILD":
        (state,) = machine.pop(1)
        _fill(machine.top(object), state)
    elif name not in ("PROTO", "FRAME"):
        raise UnreadablePickle(f"refused: it holds the instruction {name}, which plain data does not need")


@dataclass(frozen=True)
class _Name:
    is_: str


_NAMES = {
    "numpy.core.multiarray _reconstruct": _Name("array"),
    "numpy._core.multiarray _reconstruct": _Name("array"),
    "numpy ndarray": _Name("array type"),
    "numpy dtype": _Name("item type"),
    "_codecs encode": _Name("bytes"),
}


def _name(named: str) -> _Name:
    if named not in _NAMES:
        raise UnreadablePickle(f"refused: it asks for {named.replace(' ', '.')}, which no data needs")
    return _NAMES[named]


def _made(make: Any, arguments: Any) -> Any:
    """What calling one of the four names would give, made without calling anything."""
    match make, arguments:
        case _Name("array"), tuple():
            return _Array()
        case _Name("item type"), (str() | bytes() as code, *_) if _text(code) in ITEM_TYPES:
            return _ItemType(ITEM_TYPES[_text(code)])
        case _Name("bytes"), (str() as text, "latin1" | "latin-1"):
            return text.encode("latin-1")
    raise UnreadablePickle("refused: it makes something that is neither bytes nor an array of whole numbers")


def _fill(target: Any, state: Any) -> None:
    match target, state:
        case _ItemType(), tuple():
            big = len(state) > 1 and state[1] in (">", b">")
            if big or any(part is not None for part in state[2:5]):
                raise UnreadablePickle("refused: its arrays are neither little-endian nor plain")
        case _Array(), (
            _,
            tuple() as shape,
            _ItemType(code),
            bool() | 0 | 1 as fortran,
            str() | bytes() as content,
        ):
            content = content.encode("latin-1") if isinstance(content, str) else content
            if not all(isinstance(side, int) and side >= 0 for side in shape):
                raise UnreadablePickle("damaged: an array's shape is not made of whole numbers")
            flat = np.frombuffer(content, dtype=code)
            target.value = flat.reshape(shape, order="F" if fortran else "C")
        case _:
            raise UnreadablePickle("refused: it fills something that is not an array of whole numbers")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise UnreadablePickle("damaged: a name or a key is not a text")
    return value


def as_array(value: Any) -> np.ndarray:
    """The array behind a value of ``read_pickle``: an array, or a flat list of whole numbers as int64.

    Raises UnreadablePickle for anything else.
    """
    if isinstance(value, _Array) and value.value is not None:
        return value.value
    if isinstance(value, list) and all(type(item) is int for item in value):
        try:
            return np.array(value, dtype=np.int64)
        except OverflowError as error:
            raise UnreadablePickle("damaged: a number is too large") from error
    raise UnreadablePickle("it has no array or list of whole numbers where one should be")

"""Pickles followed as data: nothing that a file names is ever called.

Unpickling runs whatever a file names. Here the file is taken as the list of instructions that it is, and these are
followed by the few lines below. A name stands for what the caller's table has for it: a value, or a function of
residua's own that makes one. Any other name stands for a ``Stranger``, an inert value that keeps what the file says of
it, so that what lies beside it can be read.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

INSTRUCTIONS = 500_000  # in a file; a ResNet of 1202 layers with its optimizer's momentum takes 400,000
NAMES = 10_000  # looked up in a file, which names each of them once or twice; reading one takes longest
_KEY = 1 << 32  # keys and places beyond could be chosen to collide, which takes a dictionary for ever


class UnreadablePickle(Exception):
    """The pickle is damaged, or asks for more than data; the message says which."""


@dataclass(eq=False, slots=True)
class Stranger:
    """What stands for an unknown name, and for every value that the file makes by it."""

    name: str
    state: Any = None  # its attributes
    items: dict[str | int, Any] | None = None  # if it is a kind of dictionary


class Members(list[Any]):
    """The members of a set, none of them hashed: tuples in tuples can be made to take for ever."""


class Filled(ABC):
    """A value of a table that the file completes after it was made."""

    @abstractmethod
    def fill(self, state: Any) -> None:
        """Take what the file says of it. Raises UnreadablePickle if that is no such state."""


@dataclass
class Unpickled:
    """The value of a pickle, and the names of the strangers in it in the order of the file."""

    value: Any
    strangers: tuple[str, ...]


def _nothing_persistent(key: Any) -> Any:
    raise UnreadablePickle("refused: it points to something outside the file")


def read_pickle(
    file: io.BytesIO, names: Mapping[str, Any], persistent: Callable[[Any], Any] = _nothing_persistent
) -> Unpickled:
    """Follow the pickle, of any protocol, at which ``file`` stands; the file then stands behind it.

    ``names`` maps ``"module name"`` to a value or to a function of the arguments that the file gives;
    ``persistent`` gives what the file refers to by a key of its own. Python 2 texts are read as latin-1. Keys of
    dictionaries are texts and whole numbers; items under others are left out.

    Time and memory are bounded by the size of the file and by ``INSTRUCTIONS``. Raises UnreadablePickle if the
    pickle is damaged, or is more than data.
    """
    machine = _Machine(names, persistent)
    try:
        for _ in range(INSTRUCTIONS):
            code = file.read(1)
            if code == pickle.STOP:
                break
            name, reader = _CODES[code]
            if name not in _STEPS:
                raise UnreadablePickle(f"refused: it holds the instruction {name}, which data does not need")
            _STEPS[name](machine, reader(file) if reader else None)
        else:
            raise UnreadablePickle(f"refused: it has over {INSTRUCTIONS:,} instructions")
    except KeyError as error:
        raise UnreadablePickle("damaged: it is cut, or holds an instruction that makes no sense") from error
    except (ValueError, OverflowError) as error:
        raise UnreadablePickle(f"damaged: {' '.join(str(error).split())[:200]}") from error
    if len(machine.stack) != 1 or machine.marks:
        raise UnreadablePickle("damaged: it does not end with one value")
    return Unpickled(machine.stack[0], tuple(machine.strangers))


@dataclass
class _Machine:
    """What the instructions work on, as ``pickletools`` describes them."""

    names: Mapping[str, Any]
    persistent: Callable[[Any], Any]
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    strangers: dict[str, None] = field(default_factory=dict)  # in order
    found: int = 0

    def need(self, count: int) -> None:
        if count > len(self.stack) - (self.marks[-1] if self.marks else 0):
            raise UnreadablePickle("damaged: it takes more values than it has")

    def top(self) -> Any:
        self.need(1)
        return self.stack[-1]

    def pop(self, count: int) -> list[Any]:
        self.need(count)
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

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self, _: None) -> None:
        self.marks.append(len(self.stack))

    def discard(self, _: None) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.pop(1)

    def put(self, place: int) -> None:
        if place >= _KEY:
            raise UnreadablePickle("damaged: it has no such place in its memory")
        self.memo[place] = self.top()

    def find(self, name: str) -> None:
        self.found += 1
        if self.found > NAMES:
            raise UnreadablePickle(f"refused: it asks for over {NAMES:,} names")
        value = self.names.get(name)
        if value is None:
            value = Stranger(name.replace(" ", "."))
            self.strangers.setdefault(value.name)
        self.stack.append(value)

    def make(self, make: Any, arguments: Any) -> None:
        """What calling a name would give: by a function of residua's own, or nothing but a stranger."""
        if isinstance(make, Stranger):
            self.stack.append(Stranger(make.name))
        elif callable(make) and isinstance(arguments, tuple):
            try:
                self.stack.append(make(*arguments))
            except TypeError as error:
                raise UnreadablePickle(
                    "refused: it calls a name with other arguments than it takes"
                ) from error
        else:
            raise UnreadablePickle("refused: it calls something that is no name")

    def fill(self, state: Any) -> None:
        target = self.top()
        if isinstance(target, Stranger):
            target.state = state
        elif isinstance(target, Filled):
            target.fill(state)
        else:
            raise UnreadablePickle("refused: it gives a state to something that has none")

    def extend(self, items: list[Any]) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Stranger):
            raise UnreadablePickle("damaged: a list should stand here")

    def update(self, items: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Stranger):
            target.items = target = target.items or {}
        if not isinstance(target, dict):
            raise UnreadablePickle("damaged: a dictionary should stand here")
        if len(items) % 2:
            raise UnreadablePickle("damaged: a key has no value")
        for index in range(0, len(items), 2):
            key = items[index]
            key = key.decode("latin-1") if isinstance(key, bytes) else key
            if type(key) is str or (type(key) is int and -_KEY < key < _KEY):
                target[key] = items[index + 1]

    def dictionary(self, _: None) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self.update(items)


def _ignore(machine: _Machine, argument: Any) -> None:
    pass


_VALUES = (
    *("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
)
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(_VALUES, _Machine.push),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "EMPTY_SET": lambda m, _: m.push(Members()),
    "TUPLE1": lambda m, _: m.push(tuple(m.pop(1))),
    "TUPLE2": lambda m, _: m.push(tuple(m.pop(2))),
    "TUPLE3": lambda m, _: m.push(tuple(m.pop(3))),
    "MARK": _Machine.mark,
    "TUPLE": lambda m, _: m.push(tuple(m.pop_mark())),
    "LIST": lambda m, _: m.push(m.pop_mark()),
    "FROZENSET": lambda m, _: m.push(Members(m.pop_mark())),
    "DICT": _Machine.dictionary,
    "APPEND": lambda m, _: m.extend(m.pop(1)),
    "APPENDS": lambda m, _: m.extend(m.pop_mark()),
    "ADDITEMS": lambda m, _: m.extend(m.pop_mark()),
    "SETITEM": lambda m, _: m.update(m.pop(2)),
    "SETITEMS": lambda m, _: m.update(m.pop_mark()),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    "MEMOIZE": lambda m, _: m.put(len(m.memo)),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, place: m.push(m.memo[place])),
    "DUP": lambda m, _: m.push(m.top()),
    "POP": _Machine.discard,
    "POP_MARK": lambda m, _: _ignore(m, m.pop_mark()),
    "GLOBAL": _Machine.find,
    "STACK_GLOBAL": lambda m, _: m.find(" ".join(map(text, m.pop(2)))),
    "REDUCE": lambda m, _: m.make(*m.pop(2)),
    "NEWOBJ": lambda m, _: m.make(*m.pop(2)),
    "NEWOBJ_EX": lambda m, _: m.make(*m.pop(3)[:2]),
    "BUILD": lambda m, _: m.fill(*m.pop(1)),
    "PERSID": lambda m, key: m.push(m.persistent(key)),
    "BINPERSID": lambda m, _: m.push(m.persistent(*m.pop(1))),
    "PROTO": _ignore,
    "FRAME": _ignore,
}
# of an instruction: its name, and what reads its argument
_CODES: dict[bytes, tuple[str, Any]] = {
    code.code.encode("latin-1"): (code.name, code.arg and code.arg.reader) for code in pickletools.opcodes
}


def text(value: Any) -> str:
    """A text, or the bytes that Python 2 had for one. Raises UnreadablePickle for anything else."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise UnreadablePickle("damaged: a name is not a text")
    return value

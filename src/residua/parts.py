"""The one registry: every part that can be named (units, sources, tasks, papers ...), by its slot and its kind.

What residua brings is found because its file lies in the room of its slot; what an installed package brings, because
an entry point of the group ``residua`` names the module that registers it; what a user brings, because the command
line names the file (``--with``). No spec and no weight file can name code. Imports no torch.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar

from residua.errors import UsageError, nearest

# the room of each slot: a module, or a package whose modules register what they hold when they are imported
ROOMS = {
    "model family": "residua.models",
    "unit": "residua.models.units",
    "shortcut": "residua.models.shortcuts",
    "merge": "residua.models.merges",
    "stem": "residua.models.stems",
    "transition": "residua.models.transitions",
    "head": "residua.models.heads",
    "order": "residua.models.orders",
    "norm": "residua.models.norms",
    "activation": "residua.models.activations",
    "drop path": "residua.models.slots",
    "look": "residua.looks",
    "paper": "residua.papers",
    "augmentation": "residua.data.augment",
    "resolution": "residua.data.resolution",
    "optimizer": "residua.train.optimizers",
    "schedule": "residua.train.schedules",
    "averaging": "residua.train.averaging",
    "tracker": "residua.train.trackers",
    "finetuning": "residua.train.finetuning",
    "source": "residua.data.sources",
    "task": "residua.train.tasks",
    "format": "residua.deploy.formats",
    "backend": "residua.deploy.backends",
}


class Registered(Protocol):
    """What can be registered: a class or an object that says what it is a part of, and how it is called."""

    slot: str
    kind: str


P = TypeVar("P")

_parts: dict[str, dict[str, Any]] = {}


def register(part: P) -> P:
    """Make a part known by its ``slot`` and ``kind``, and return it: a class decorator too.

    Raises UsageError for a slot that there is not, and for a kind that another part of the slot has already.
    """
    slot, kind = part.slot, part.kind  # type: ignore[attr-defined]  # a Registered; bound to it, P would not take classes
    if slot not in ROOMS:
        raise UsageError(f"there are no parts of the kind {slot!r}{nearest(slot, ROOMS)}")
    taken = _parts.setdefault(slot, {})
    if not _same(taken.get(kind, part), part):
        raise UsageError(f"{slot} {kind!r} is already registered")
    taken[kind] = part
    return part


def known(slot: str) -> dict[str, Any]:
    """What is registered of a slot by now; nothing is imported for it."""
    return _parts.get(slot, {})


def parts(slot: str) -> dict[str, Any]:
    """Every part of a slot by kind: residua's own, those of installed packages, and the user's."""
    _import_room(slot)
    _import_installed()
    return known(slot)


def find(slot: str, kind: str) -> Any:
    """The part of a slot that is called ``kind``. Raises UsageError with the nearest known one."""
    if slot in ROOMS:
        _import_room(slot)
    if kind not in known(slot) and slot in ROOMS:  # what others bring is imported for what residua has not
        parts(slot)
    found = known(slot)
    if kind not in found:
        raise UsageError(
            f"unknown {slot} {kind!r}{nearest(str(kind), found)} (one of your own is named with --with FILE)"
        )
    return found[kind]


def _same(one: Any, other: Any) -> bool:
    """Whether two parts are one: equal, or the same definition, run again."""
    named = [
        (getattr(part, "__module__", None), getattr(part, "__qualname__", None)) for part in (one, other)
    ]
    return one == other or (isinstance(one, type) and named[0] == named[1])


@cache
def _import_room(slot: str) -> None:
    room = importlib.import_module(ROOMS[slot])
    for module in pkgutil.iter_modules(getattr(room, "__path__", ())):
        importlib.import_module(f"{room.__name__}.{module.name}")


@cache
def _import_installed() -> None:
    for point in entry_points(group="residua"):
        try:
            point.load()
        except Exception as error:  # another package's code: whatever it raises, residua works without it
            name = point.dist.name if point.dist else point.value
            logging.getLogger("residua").warning(
                "the parts of %s are left out: %s: %s", name, type(error).__name__, error
            )

"""What was timed of a training on this machine, remembered: a small file for each machine, network and batch.

Two starts of one command must choose alike, and clocks never say the same twice. So what was written first stands:
whoever times the same at the same time takes that.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, cast

from residua.errors import ResiduaError
from residua.files import locked, make_folder, write_json
from residua.machine.cache import TIMED, cache_folder, cache_problem
from residua.spec.check import Constraint, Count
from residua.spec.stored import read_stored

SCHEMA = 1
_WAIT_SECONDS = 10.0
_Seconds = Annotated[float, Constraint("seconds above 0", lambda value: value > 0)]

_log = logging.getLogger("residua")


class Tuned(TypedDict):
    """The quickest of the alternatives that ``--tune`` has timed."""

    precision: Literal["float32", "bfloat16"]
    threads: Annotated[int, Constraint("a whole number from 1", lambda value: value >= 1)]
    channels_last: bool


class Record(TypedDict):
    """What one file holds; what has not been timed is None or missing."""

    schema: Literal[1]
    key: dict[str, Any]  # machine, versions, network, batch
    modules: Count | None  # how many modules of the network compute something
    eager: _Seconds | None  # of a step
    seconds: dict[str, _Seconds] | None  # of a step, by the way it is computed, all timed in turns
    compiling: dict[str, _Seconds] | None  # by way, the code at hand
    cold: _Seconds | None  # of the first compilation
    decided: dict[str, str] | None  # by the number of steps: the way
    tuned: Tuned | None


def recall(key: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record of a key; empty where there is none, or none that can be read."""
    return _read(_path(key))


def remember(key: Mapping[str, Any], *, anew: bool = False, **values: Any) -> Mapping[str, Any]:
    """Write values of a ``Record`` that it does not hold yet (``anew``: also those that it does); what it then holds.

    Of tables each entry is a value by itself. A cache that cannot be written is said, and the values are given back.
    """
    path = _path(key)
    try:
        if problem := cache_problem():
            raise ResiduaError(problem)
        make_folder(path.parent)
        with locked(path.with_suffix(".turn"), _WAIT_SECONDS):  # the file itself is held while it is written
            record = _merged(_read(path), values, anew=anew)
            write_json(path, {"schema": SCHEMA, "key": dict(key), **record})
            return record
    except (ResiduaError, OSError) as error:
        _log.warning(
            "what was timed is not remembered, so that another start may choose otherwise: %s", error
        )
        return _merged(recall(key), values, anew=anew)


def records(machine: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every record of a machine."""
    for path in sorted((cache_folder() / TIMED).glob("[!.]*.json")):
        record = _read(path)
        if record and record["key"].get("machine") == machine:
            yield record


def _merged(known: Mapping[str, Any], values: Mapping[str, Any], *, anew: bool) -> dict[str, Any]:
    both = dict(known)
    for name, value in values.items():
        old = both.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            both[name] = {**old, **value} if anew else {**value, **old}
        elif anew or old is None:
            both[name] = value
    return both


def _path(key: Mapping[str, Any]) -> Path:
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    return cache_folder() / TIMED / f"{name}.json"


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return cast("Mapping[str, Any]", read_stored(path, Record))
    except ResiduaError:  # none, or a damaged one: it is timed anew
        return {}

"""``search.json``: what a search has asked, measured and trained so far, so that the same command goes on with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from residua.errors import ResiduaError, UsageError
from residua.files import make_folder, write_json
from residua.spec.stored import read_stored

FILE = "search.json"


@dataclass(kw_only=True)
class Trial:
    """One candidate. A figure is None until it is measured."""

    name: str
    model: str
    image_size: int | None
    weights: str
    latency_ms: float | None = None  # of one image on the target
    status: str = "waiting"  # too slow, no time, trained
    seconds: float | None = None  # that its training took
    validation: float | None = None  # what it is chosen by
    test: float | None = None  # nothing is chosen by it
    why: str = ""


@dataclass(kw_only=True)
class Record:
    """A search: what was asked, its trials, and the name of the best one so far."""

    schema: int = 1
    asked: dict[str, Any]
    metric: str = "accuracy"
    direction: str = "max"
    best: str | None = None
    trials: list[Trial] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    def write(self, folder: Path) -> None:
        """Keep it. Raises ResiduaError if it cannot be written."""
        try:
            make_folder(folder)
        except OSError as error:
            raise ResiduaError(f"cannot make {folder}: {error.strerror or error}") from error
        write_json(folder / FILE, self.to_dict())


class _Stored(TypedDict):
    asked: dict[str, Any]
    trials: list[Any]


def read_record(folder: Path, asked: dict[str, Any]) -> Record:
    """The search that stands in a folder, or a new one.

    Raises UsageError if the folder holds something else or a search that was asked otherwise, ResiduaError if its file
    is damaged.
    """
    path = folder / FILE
    if not path.exists():
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise UsageError(f"{folder} exists and holds no search: choose another --run-dir")
        return Record(asked=asked)
    stored = dict(read_stored(path, _Stored))
    try:
        record = Record(**{**stored, "trials": [Trial(**trial) for trial in stored["trials"]]})
    except TypeError as error:
        raise ResiduaError(f"{path} is damaged: it is no search of this version") from error
    for name in ("data", "target", "how"):
        if record.asked.get(name) != asked[name]:
            raise UsageError(
                f"{folder} holds another search: its {name} is {record.asked.get(name)}, {asked[name]} is asked for; "
                "choose another --run-dir"
            )
    record.asked = asked  # a larger budget goes on with what is there
    return record

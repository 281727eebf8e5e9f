"""The run folder: the unit of everything that follows a training. It appears whole, by one rename, or not at all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from residua.errors import ResiduaError, UsageError
from residua.files import (
    NEW,
    beside,
    clear,
    in_use,
    locked,
    make_folder,
    read_json,
    sweep,
    sync_folder,
    write_json,
)
from residua.names import command
from residua.registry import spec_from_dict
from residua.runs.logs import read_log
from residua.runs.plan import Plan
from residua.spec import DataSpec, ModelSpec, Recipe
from residua.user_files import files_missing

RUNS = Path("runs")
_LATEST = "latest"
_OLD = ".residua-old"  # of the run that another is to replace once it is complete
_GONE = ".residua-gone"  # of one that it replaces at once: an unfinished one, where _OLD is taken
_MARKS = ("spec.json", "recipe.json", "plan.json", "data.json", "env.json")
_FIGURES = ("test_images", "seconds", "epochs", "parameters")  # that every result has

T = TypeVar("T")


class RunFolder:
    """A training on disk. Every property is read from its file when it is asked for.

    Raises ResiduaError if ``path`` is no run folder; so do the properties, naming the file, if it is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        missing = [name for name in _MARKS if not (self.path / name).is_file()]
        if missing:
            raise ResiduaError(f"{self.path} is not a run folder: it has no {missing[0]}")

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    @property
    def spec(self) -> ModelSpec:
        """The model's spec."""
        return self._read("spec.json", spec_from_dict)

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        return self._read("recipe.json", Recipe.from_dict)

    @property
    def plan(self) -> Plan:
        """Every automatic choice."""
        return self._read("plan.json", Plan.from_dict)

    @property
    def data(self) -> dict[str, Any]:
        """The data's identity: source, fingerprint, classes, split, mean, std, skipped files."""
        return self._table("data.json", kind=str, storage=str, classes=list, spec=dict)

    @property
    def data_spec(self) -> DataSpec:
        """Where the images came from; a path that was relative to another folder is found all the same."""
        spec = self._read("data.json", lambda _: DataSpec.from_dict(self.data["spec"]))
        path = self.data.get("path")
        if not isinstance(path, str) or not Path(path).exists():
            return spec
        return spec.change(source=f"{self.data['kind']}:{path}")

    @property
    def env(self) -> dict[str, Any]:
        """Versions, hardware, seed, command, sessions."""
        return self._table("env.json", seed=int, sessions=list, limit_batches=int | None)

    @property
    def seed(self) -> int:
        """The seed that everything random follows from."""
        return self.env["seed"]

    @property
    def result(self) -> dict[str, Any] | None:
        """The final figures, or None while the training is not complete."""
        if not (self.path / "result.json").exists():
            return None
        return self._table("result.json", model=str, primary=str, **dict.fromkeys(_FIGURES, int | float))

    @property
    def last(self) -> Path:
        """The checkpoint to go on from."""
        return self.path / "checkpoints" / "last.safetensors"

    @property
    def best(self) -> Path:
        """The weights that did best on the validation images; absent without any."""
        return self.path / "checkpoints" / "best.safetensors"

    @property
    def weights(self) -> Path:
        """The final weights, or those of the last checkpoint while the training is not complete."""
        if not (self.path / "result.json").exists():
            return self.last  # of a run that is being extended, the earlier final weights are still there
        return self.path / "model.safetensors"

    def metrics(self, event: str | None = None) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl, or those of one event (``"step"``, ``"epoch"``)."""
        path = self.path / "metrics.jsonl"
        lines = read_log(self.path).split(b"\n")[:-1]  # a cut last line is not yet a line
        values = []
        for number, line in enumerate(lines, 1):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ResiduaError(f"{path}, line {number}, is damaged: {error}") from error
            if not isinstance(value, dict):
                raise ResiduaError(f"{path}, line {number}, is damaged: it is no table of keys and values")
            values.append(value)
        return [value for value in values if event is None or value.get("event") == event]

    def _read(self, name: str, make: Callable[[Any], T]) -> T:
        """What ``make`` makes of a JSON file; what it does not like is the file's fault, not the caller's."""
        path = self.path / name
        try:
            return make(read_json(path))
        except UsageError as error:
            missing = files_missing(self.env.get("files", {}))
            raise ResiduaError(
                f"{self.path}: {missing}" if missing else f"{path} is damaged: {error}"
            ) from error

    def _table(self, name: str, **keys: Any) -> dict[str, Any]:
        """A JSON file that is a table with (at least) these keys, of these types."""
        values = read_json(self.path / name)
        if not isinstance(values, dict):
            raise ResiduaError(f"{self.path / name} is damaged: it is no table of keys and values")
        for key, kind in keys.items():
            if not isinstance(values.get(key), kind) or isinstance(values[key], bool):
                raise ResiduaError(f"{self.path / name} is damaged: {key!r} is missing or of a wrong type")
        return values

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"


def new_path(data_kind: str, model: str, seed: int, parent: Path = RUNS) -> Path:
    """A free name under ``runs/``, from the time, the data, the model and the seed."""
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{data_kind}-{model}-s{seed}"
    path, number = parent / stem, 1
    while path.exists() or in_use(path):
        number += 1
        path = parent / f"{stem}-{number}"
    return path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Hold the place of a run folder for one writer, from before its creation until nothing more is written to it.

    Clears away what killed writers left there, and puts back a run that one of them had moved aside. A run that was
    replaced is kept beside its successor (``.NAME.residua-old``) until this one is complete.

    Raises InUse at once if another process holds it, ResiduaError if it cannot be locked.
    """
    given, path = path, path.resolve()
    try:
        for parent in (given.parent, path.parent):  # "new/../run" needs both
            make_folder(parent)
    except OSError as error:
        raise ResiduaError(f"cannot make the run folder {path}: {error.strerror or error}") from error
    with locked(path, wait=0.2):  # who only sweeps up holds it for a moment
        _tidy(path)
        try:
            yield
        finally:
            _tidy(path)


def create(
    path: Path, files: dict[str, Any], fill: Callable[[Path], None], *, overwrite: bool = False
) -> RunFolder:
    """Make a run folder of JSON ``files`` and whatever ``fill(folder)`` writes, and give it its name at the end.

    The caller holds ``path`` (``writing``). Raises UsageError if it holds something already (a finished or an
    unfinished run, or foreign files) and ``overwrite`` does not allow it; only run folders are ever overwritten.
    """
    _refuse(path, overwrite)
    place = path.resolve()
    new, old = beside(place, NEW), beside(place, _OLD)
    try:
        new.mkdir()
        (new / "checkpoints").mkdir()
        for name, value in files.items():
            write_json(new / name, value)
        fill(new)
        if _is_run(place):
            place.rename(beside(place, _GONE) if old.exists() else old)
            sync_folder(place.parent)
        new.rename(place)
        sync_folder(place.parent)
    except OSError as error:
        raise ResiduaError(f"cannot make the run folder {path}: {error.strerror or error}") from error
    return RunFolder(path)


def replaced(path: Path) -> Path | None:
    """Where the run is kept that the one at ``path`` is to replace once it is complete."""
    old = beside(path.resolve(), _OLD)
    return old if old.exists() else None


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Say at once, before any data are read, what ``writing`` and ``create`` would refuse."""
    if path.parent.is_dir():
        with writing(path):
            _refuse(path, overwrite)


def _refuse(path: Path, overwrite: bool) -> None:
    """Raise UsageError if a new run cannot have this path."""
    if not path.exists():
        return
    empty = path.is_dir() and not any(path.iterdir())
    if not empty and not _is_run(path):
        raise UsageError(f"{path} exists and is not a run folder: choose another --run-dir")
    if empty or overwrite:
        if Path.cwd().is_relative_to(path.resolve()):  # relative paths would lead into the old folder
            raise UsageError(
                f"{path} would be replaced, and you work in it: choose another --run-dir, or cd .."
            )
        return
    if (path / "result.json").exists():
        raise UsageError(f"{path} holds a finished run: --overwrite replaces it, another --run-dir keeps it")
    raise UsageError(
        f"{path} holds an unfinished run: {command('residua', 'train', '--resume', path)} goes on with it, "
        "--overwrite replaces it"
    )


def _tidy(path: Path) -> None:
    """Put a run back that lost its name to a crash, and remove what nobody needs any more. The caller holds it."""
    new, gone, old = (beside(path, suffix) for suffix in (NEW, _GONE, _OLD))
    with suppress(OSError):
        for aside in (gone, old):
            if aside.exists() and not path.exists():
                aside.rename(path)
                sync_folder(path.parent)
        clear(new)
        for aside in [gone] * path.exists() + [old] * (path / "result.json").exists():
            if aside.exists():
                aside.rename(new)  # first: half a run has no name under which it is ever put back
                sync_folder(path.parent)
                clear(new)
    for folder in (path.parent, path, path / "checkpoints"):
        sweep(folder)


def _put_back(path: Path) -> None:
    """Give a run its name again that a writer had moved aside when it was killed."""
    place = path.resolve()
    if not place.exists() and any(beside(place, suffix).exists() for suffix in (_GONE, _OLD)):
        with suppress(ResiduaError), writing(place):  # in use: its writer is about to fill the place
            pass


def point_latest(path: Path) -> None:
    """Make ``latest`` beside the run folder name it: a symbolic link, or a text file where links are not to be had."""
    latest = path.parent / _LATEST
    temporary = beside(latest, NEW)
    with suppress(OSError, ResiduaError), locked(latest, wait=1.0):  # a convenience: no run is lost over it
        clear(temporary)
        try:
            temporary.symlink_to(path.name, target_is_directory=True)
        except OSError:
            temporary.write_text(path.name + "\n", encoding="utf-8")
        temporary.replace(latest)


def resolve_run(text: str | Path) -> Path:
    """The run folder that a path, a name under ``runs/`` or ``latest`` means. Raises UsageError if there is none."""
    path = Path(text)
    for candidate in (path, RUNS / path):
        if candidate.is_file() and candidate.name == _LATEST:
            candidate = candidate.parent / candidate.read_text(encoding="utf-8").strip()
        _put_back(candidate)
        if _is_run(candidate):
            return candidate.resolve() if candidate.is_symlink() else candidate
    if path.exists():
        raise UsageError(f"{text} is not a run folder")
    raise UsageError(f"there is no run {str(text)!r}, neither as a path nor under {RUNS}/")


def list_runs(parent: Path = RUNS) -> list[RunFolder]:
    """The run folders under ``parent``, oldest first by name; what is no run folder is left out."""
    for suffix in (_GONE, _OLD):
        for aside in parent.glob(f".*{suffix}"):
            _put_back(parent / aside.name[1 : -len(suffix)])
    folders = sorted(p for p in parent.iterdir() if not p.is_symlink()) if parent.is_dir() else []
    return [RunFolder(p) for p in folders if not p.name.startswith(".") and _is_run(p)]


def _is_run(path: Path) -> bool:
    return all((path / name).is_file() for name in _MARKS)

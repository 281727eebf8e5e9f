"""The run folder: the unit of everything that follows a training. It appears whole, by one rename, or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from residua.errors import ResiduaError, UsageError
from residua.files import read_json, write_json
from residua.names import command
from residua.registry import spec_from_dict
from residua.spec import DataSpec, ModelSpec, Recipe
from residua.train.plan import Plan

RUNS = Path("runs")
_LATEST = "latest"
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
        try:
            content = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error
        lines = content.split(b"\n")[:-1]  # a cut last line is not yet a line
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
            raise ResiduaError(f"{path} is damaged: {error}") from error

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
    while path.exists():
        number += 1
        path = parent / f"{stem}-{number}"
    return path


def create(
    path: Path, files: dict[str, Any], fill: Callable[[Path], None], *, overwrite: bool = False
) -> RunFolder:
    """Make a run folder of JSON ``files`` and whatever ``fill(folder)`` writes, and give it its name at the end.

    Raises UsageError if ``path`` holds something already (a finished or an unfinished run, or foreign files) and
    ``overwrite`` does not allow it; only run folders are ever overwritten.
    """
    refuse_existing(path, overwrite=overwrite)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        temporary.chmod(0o755)
        (temporary / "checkpoints").mkdir()
        for name, value in files.items():
            write_json(temporary / name, value)
        fill(temporary)
        if overwrite and path.exists():
            aside = temporary.with_name(temporary.name + ".old")
            path.rename(aside)
            temporary.rename(path)
            shutil.rmtree(aside, ignore_errors=True)
        else:
            temporary.rename(path)  # fails if somebody else has put a run here meanwhile
    except OSError as error:
        raise ResiduaError(f"cannot make the run folder {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)
    return RunFolder(path)


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise UsageError if a new run cannot have this path."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not _is_run(path):
        raise UsageError(f"{path} exists and is not a run folder: choose another --run-dir")
    if overwrite:
        with locked(path):
            return
    if (path / "result.json").exists():
        raise UsageError(f"{path} holds a finished run: --overwrite replaces it, another --run-dir keeps it")
    raise UsageError(
        f"{path} holds an unfinished run: {command('residua', 'train', '--resume', path)} goes on with it, "
        "--overwrite replaces it"
    )


class InUse(ResiduaError):
    """Another process trains in the run folder."""


class locked:  # noqa: N801
    """Hold a run folder for one process; the system lets go of it however the process ends.

    Raises InUse at once if another process holds it, ResiduaError if it cannot be locked.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = None

    def __enter__(self) -> None:
        try:
            self._file = (self._path / ".lock").open("a+b")
        except OSError as error:
            raise ResiduaError(f"cannot lock {self._path}: {error.strerror or error}") from error
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            else:
                import fcntl

                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            if isinstance(error, BlockingIOError | PermissionError):
                raise InUse(f"{self._path} is in use by another process") from error
            raise ResiduaError(f"cannot lock {self._path}: {error.strerror or error}") from error

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.close()


def point_latest(path: Path) -> None:
    """Make ``latest`` beside the run folder name it: a symbolic link, or a text file where links are not to be had."""
    latest = path.parent / _LATEST
    temporary = path.parent / f".{_LATEST}.{os.getpid()}"
    try:
        temporary.unlink(missing_ok=True)
        try:
            temporary.symlink_to(path.name, target_is_directory=True)
        except OSError:
            temporary.write_text(path.name + "\n", encoding="utf-8")
        temporary.replace(latest)
    except OSError:  # a convenience: a run is not lost over it
        temporary.unlink(missing_ok=True)


def resolve_run(text: str | Path) -> Path:
    """The run folder that a path, a name under ``runs/`` or ``latest`` means. Raises UsageError if there is none."""
    path = Path(text)
    for candidate in (path, RUNS / path):
        if candidate.is_file() and candidate.name == _LATEST:
            candidate = candidate.parent / candidate.read_text(encoding="utf-8").strip()
        if _is_run(candidate):
            return candidate.resolve() if candidate.is_symlink() else candidate
    if path.exists():
        raise UsageError(f"{text} is not a run folder")
    raise UsageError(f"there is no run {str(text)!r}, neither as a path nor under {RUNS}/")


def list_runs(parent: Path = RUNS) -> list[RunFolder]:
    """The run folders under ``parent``, oldest first by name; what is no run folder is left out."""
    folders = sorted(p for p in parent.iterdir() if not p.is_symlink()) if parent.is_dir() else []
    return [RunFolder(p) for p in folders if not p.name.startswith(".") and _is_run(p)]


def _is_run(path: Path) -> bool:
    return all((path / name).is_file() for name in _MARKS)

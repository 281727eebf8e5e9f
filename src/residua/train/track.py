"""Trackers beside a run: each is told of every epoch, and none of them ever costs the training."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

from residua.errors import UsageError
from residua.runs.folder import RunFolder
from residua.spec import Tracker
from residua.spec.training import Tracking
from residua.train.progress import Progress

_USUAL = "tensorboard"
Asked = str | Sequence[str | Tracker] | None


def trackers(asked: Asked) -> tuple[Tracker, ...]:
    """The trackers that are asked for: ``"tensorboard,mlflow(experiment='birds')"``, a list, ``"none"``.

    None: TensorBoard, if it is installed. Raises UsageError for one that there is not, or that is not installed.
    """
    if asked is None:
        return (Tracker.read(_USUAL, "track"),) if importlib.util.find_spec(_USUAL) else ()
    if isinstance(asked, str):
        asked = [one.strip() for one in re.split(r",(?![^(]*\))", asked) if one.strip() != "none"]
    found = tuple(Tracker.read(one, "track") for one in asked)
    for one in found:
        if importlib.util.find_spec(one.package) is None:
            raise UsageError(f"track: {one.kind} is not installed: pip install {one.package}")
    return found


def begun_with(run: RunFolder) -> tuple[Tracker, ...]:
    """The trackers that a run was begun with, less those that are not installed here. Older runs had no choice."""
    stored = run.env.get("track")
    if stored is None:
        return trackers(None)
    found = (Tracker.read(one, f"{run.path}: track") for one in stored)
    return tuple(one for one in found if importlib.util.find_spec(one.package))


def figures(line: Mapping[str, Any]) -> dict[str, float]:
    """The figures of an epoch's line, less those that are not finite."""
    names = ("event", "epoch", "step")
    return {name: value for name, value in line.items() if name not in names and value is not None}


def tested(result: Mapping[str, Any]) -> dict[str, float]:
    """The figures of the test part, of a run's result."""
    return {name: v for name, v in result.items() if name.startswith("test_") and v is not None}


def settings(run: RunFolder) -> dict[str, Any]:
    """What a run is: its network, recipe and data by dotted names, and its seed."""
    specs = {"model": run.spec, "recipe": run.recipe, "data": run.data_spec}
    flat = {f"{name}.{key}": value for name, spec in specs.items() for key, value in spec.flat().items()}
    plain = {key: v if isinstance(v, int | float | str | None) else str(v) for key, v in flat.items()}
    return {**plain, "seed": run.seed}


def identity(run: RunFolder) -> str:
    """What a resumed run is known by: 16 digits of where it lies and when it was begun."""
    begun = f"{run.path.resolve()} {run.env['sessions'][0]}"
    return hashlib.sha256(begun.encode()).hexdigest()[:16]


@contextmanager
def tracked(run: RunFolder, progress: Progress, asked: Sequence[Tracker]) -> Iterator[Progress]:
    """``progress``, which also tells the trackers."""
    told = _Tracked(run, progress, asked)
    try:
        yield told
    finally:
        told.close()


class _Tracked(Progress):
    """Hands everything on to another progress, and epochs to the trackers; one that fails is left out from then on."""

    def __init__(self, run: RunFolder, inner: Progress, asked: Sequence[Tracker]) -> None:
        self._run, self._inner, self._asked = run, inner, asked
        self._following: dict[str, Tracking] = {}

    def start(self, step: int, total_steps: int, steps_per_epoch: int) -> None:
        self._inner.start(step, total_steps, steps_per_epoch)
        for one in self._asked:
            if (
                following := self._guarded(one.kind, lambda one=one: one.follow(self._run, step))
            ) is not None:
                self._following[one.kind] = following

    def step(self, step: int) -> None:
        self._inner.step(step)

    def epoch(self, line: dict[str, Any]) -> None:
        for kind, following in [*self._following.items()]:
            self._guarded(kind, lambda following=following: following.epoch(line))
        self._inner.epoch(line)

    def note(self, text: str) -> None:
        self._inner.note(text)

    def stop(self) -> None:
        self._inner.stop()

    def close(self) -> None:
        result = self._run.result
        for kind, following in [*self._following.items()]:
            self._guarded(kind, lambda following=following: following.close(result))

    def _guarded(self, kind: str, work: Callable[[], Any]) -> Any:
        """What ``work`` gives; None if it fails, whatever it raises: that is said, and the tracker is told no more."""
        try:
            with redirect_stdout(sys.stderr):  # stdout is for results
                return work()
        except (Exception, SystemExit) as error:
            self._following.pop(kind, None)
            reason = " ".join(str(error).split())[:200]
            self._inner.note(
                f"the tracker {kind} failed, and the training goes on without it: {type(error).__name__}: {reason}"
            )
            return None

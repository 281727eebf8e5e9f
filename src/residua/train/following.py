"""The other processes of a training: they join the first one in the run folder that it has made, or goes on with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, ParamSpec

from torch import nn

from residua.data import AnyData, NormalizedData
from residua.data.given import as_data
from residua.registry import build
from residua.runs.checkpoint import State, load_checkpoint
from residua.runs.folder import RunFolder
from residua.spec import DataSpec, Tracker
from residua.train.callbacks import Callbacks
from residua.train.interruption import telling_how_to_go_on
from residua.train.launch import tell_launch
from residua.train.prepare import data_again, task_for
from residua.train.processes import Processes, current, joined
from residua.train.progress import Progress
from residua.train.session import Session
from residua.train.task import Task

P = ParamSpec("P")


def led_by_the_first(train: Callable[P, RunFolder]) -> Callable[P, RunFolder]:
    """Let the first process of a training do all of ``train``, and the others only what follows ``announce``.

    So choices are made once, and are the same everywhere: the others read them in the run folder. What ``train`` is
    given as ``model`` and ``data``, they take where these are objects, which no folder holds.
    """

    @wraps(train)
    def run(*args: P.args, **kwargs: P.kwargs) -> RunFolder:
        with joined() as processes:
            if processes.first:
                return train(*args, **kwargs)
            given = signature(train).bind(*args, **kwargs).arguments
            return _follow(processes, given.get("model"), given.get("data"))

    return run


def lead(
    folder: RunFolder,
    task: Task,
    data: AnyData,
    state: State,
    progress: Progress,
    following: Sequence[Tracker],
    callbacks: Callbacks,
) -> RunFolder:
    """Train from where the state stands to the end, as the folder says, and the others with this process."""
    session = Session(
        folder=folder,
        task=task,
        data=data,
        state=state,
        progress=progress,
        trackers=following,
        callbacks=callbacks,
        processes=current(),
    )
    with telling_how_to_go_on(folder.path):
        announce(folder)
        return session.run()


def announce(folder: RunFolder) -> None:
    """Tell the others in which folder the training is: its files must be those to go on from."""
    tell_launch(folder.path)
    current().told(str(folder.path.resolve()))


def _follow(processes: Processes, model: Any, data: Any) -> RunFolder:
    """Take part in the training that the first process announces, and return its folder when it is complete."""
    folder = RunFolder(processes.told(""))
    if folder.result is None:
        plan, recipe = folder.plan, folder.recipe
        named = data is None or isinstance(data, str | Path | DataSpec)
        loaded = _normalized(data_again(folder, None, plan) if named else as_data(data), folder)
        network = model if isinstance(model, nn.Module) else build(folder.spec)
        task = task_for(network, recipe, loaded, plan)
        Session(
            folder=folder,
            task=task,
            data=loaded,
            state=load_checkpoint(folder.last, task),
            progress=Progress(),
            processes=processes,
        ).run()
    return folder


def _normalized(data: AnyData, folder: RunFolder) -> AnyData:
    """The data, normalised as the run says (its weights may have been trained with another mean)."""
    spec = folder.data_spec
    if isinstance(data, NormalizedData) and spec.mean is not None and spec.std is not None:
        return data.normalized_with(spec.mean, spec.std)
    return data

"""``resume``: from a run folder that stands to a finished one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from residua.data import same_identity
from residua.data.given import as_data
from residua.errors import ResiduaError
from residua.registry import build
from residua.runs.checkpoint import load_averages, load_checkpoint, save_checkpoint
from residua.runs.find import resolve_run
from residua.runs.folder import RunFolder
from residua.runs.intact import is_intact
from residua.runs.logs import damaged_logs
from residua.runs.mend import mend_logs, mend_weights
from residua.runs.place import writing
from residua.train.asked import extended
from residua.train.callbacks import Callback, Callbacks
from residua.train.following import announce, lead, led_by_the_first
from residua.train.interruption import telling_how_to_go_on
from residua.train.plan import Request, check_here, divided_anew
from residua.train.prepare import (
    data_again,
    file_header,
    plan_for,
    task_for,
)
from residua.train.processes import current
from residua.train.progress import Progress, make_progress
from residua.train.track import Asked, begun_with, trackers
from residua.user_files import files_changed

_log = logging.getLogger("residua")


@led_by_the_first
def resume(
    run: str | Path | RunFolder,
    *,
    epochs: int | None = None,
    allow_inexact: bool = False,
    retune: bool = False,
    data: Any = None,
    progress: bool | Progress = True,
    track: Asked = None,
    callbacks: Sequence[Callback] = (),
) -> RunFolder:
    """Go on with an interrupted run and return it finished; weights and metrics are those of an uninterrupted one.

    A run that is complete is returned as it is; its final weights and logs are mended, if they are damaged.

    Args:
        run: the run folder.
        epochs: train to this many epochs instead (more than are done). The schedule is stretched: it is a function
            of progress.
        allow_inexact: go on although the machine or the versions differ from the plan's.
        retune: make every automatic choice anew; implies ``allow_inexact``.
        data: where the same images lie now, if they have moved; or what ``fit`` was given.
        progress: True shows it on stderr.
        track: as of ``fit``; by default those that the run was begun with and that are installed here.
        callbacks: as of ``fit``; a run does not remember those that it was begun with.

    Raises:
        UsageError: if ``epochs`` are fewer than are done.
        ResiduaError: if the data, the machine or the versions are not the run's, or the checkpoint is damaged.
        Interrupted: as of ``fit``.

    """
    folder = run if isinstance(run, RunFolder) else RunFolder(resolve_run(run))
    shown, told = make_progress(progress), Callbacks(given=callbacks)
    if folder.result is not None and epochs in (None, folder.result["epochs"]):
        if damaged_logs(folder.path) or not is_intact(folder.weights):
            with writing(folder.path):
                _say(mend_logs(folder.path, folder.last) + mend_weights(folder))
        shown.note(f"{folder.path} is complete: nothing is left to train")
        announce(folder)
        return folder
    with writing(folder.path), leaving(shown), telling_how_to_go_on(folder.path):
        recipe, plan, processes = folder.recipe, folder.plan, current()
        if not (retune or allow_inexact):
            check_here(plan, processes)
            if changed := files_changed(folder.env.get("files", {})):
                raise ResiduaError(f"{folder.path}: {changed} (--allow-inexact goes on all the same)")
        loaded = data_again(folder, data, plan) if data is None or isinstance(data, str) else as_data(data)
        if difference := same_identity(folder.data, loaded.identity):
            raise ResiduaError(f"{loaded.spec.source} is not what {folder.name} was trained on: {difference}")
        network = build(folder.spec)
        _say(mend_logs(folder.path, folder.last))
        if recipe.iterations is None and epochs == recipe.epochs:
            epochs = None  # an extension that was interrupted
        if retune:
            asked = Request(device=plan.device, memory=plan.memory, processes=processes)
            anew = plan_for(network, recipe, loaded, asked, limit=folder.limit, tell=shown.note)
            plan = anew.change(reasons=(*plan.reasons, "chosen anew:", *anew.reasons))
        elif allow_inexact:
            plan = divided_anew(plan, processes)
        if epochs is not None:
            recipe = extended(folder, recipe, epochs)
        task = task_for(network, recipe, loaded, plan)
        state = load_checkpoint(folder.last, task)
        if epochs is not None:
            if state.waited:  # said first: a run that is extended waits anew
                state.waited = 0
                about, means = file_header(network, loaded), load_averages(folder.last)
                save_checkpoint(folder.last, task, state, about, means)
            folder.extend(recipe)
        if plan != folder.plan:
            folder.replan(plan)
        folder.begin_session()
        following = trackers(track) if track is not None else begun_with(folder)
        return lead(folder, task, loaded, state, shown, following, told)


def _say(mended: list[str]) -> None:
    """What was lost is said by the logger, also to a program that wants to see no progress."""
    for said in mended:
        _log.warning("%s", said)


@contextmanager
def leaving(progress: Progress) -> Iterator[None]:
    """Take the bar off the screen however a training ends."""
    try:
        yield
    finally:
        progress.stop()

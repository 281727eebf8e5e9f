"""``fit`` and ``resume``: from a model, data and a recipe to a finished run folder."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from residua.analysis.cost import totals
from residua.data import Source, load_data, same_identity
from residua.errors import ResiduaError, UsageError
from residua.files import remove, write_json
from residua.machine import describe_machine
from residua.names import check_name
from residua.nn import place
from residua.registry import build, model_spec
from residua.runs import folder as runs
from residua.runs.checkpoint import State, load_checkpoint, save_checkpoint
from residua.runs.folder import RunFolder
from residua.runs.intact import is_intact
from residua.runs.logs import damaged_logs
from residua.runs.mend import mend_logs, mend_weights
from residua.runs.own_data import own_data
from residua.spec import DataSpec, ModelSpec, Recipe
from residua.train.asked import as_planned, refuse_other, run_to_go_on_with, weights_digest
from residua.train.defaults import default_model, default_recipe, default_source
from residua.train.loop import telling_how_to_go_on
from residua.train.plan import Plan, Request, check_here, make_plan
from residua.train.progress import Progress, make_progress
from residua.train.recipes import recipe as find_recipe
from residua.train.seeding import seed_torch
from residua.train.session import Session
from residua.train.task import Task
from residua.train.tasks.made import make_task
from residua.weights.model_files import Weights, adapt

_log = logging.getLogger("residua")


def fit(
    model: str | ModelSpec | nn.Module | None = None,
    data: str | Path | DataSpec | Source | None = None,
    recipe: str | Recipe | None = None,
    *,
    seed: int = 0,
    weights: Weights | None = None,
    run_dir: str | Path | None = None,
    overwrite: bool = False,
    resume_if_exists: bool = False,
    limit_batches: int | None = None,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    workers: int | None = None,
    compile: str = "auto",
    progress: bool | Progress = True,
    model_changes: Mapping[str, Any] | None = None,
    recipe_changes: Mapping[str, Any] | None = None,
) -> RunFolder:
    """Train a network on images and return its finished run folder.

    Args:
        model: a name, a spec, or a module made by ``create_model`` (it is trained in place); by default one that
            suits the size of the images. The number of classes and channels of a name follow the data.
        data: ``"digits"``, a path, ``"kind:path"``, a ``DataSpec`` or loaded ``Data``; by default what the model's
            family is trained on.
        recipe: a name or a ``Recipe``; by default the one of the model's family, or one that suits the data.
        seed: everything random follows from it: initialisation, order, augmentation, drop path. Splits do not.
        weights: start from these (fine-tuning); a classifier for other classes starts fresh.
        run_dir: the folder to make; by default a new one under ``runs/``.
        overwrite: replace a run that stands at ``run_dir``.
        resume_if_exists: go on with the run at ``run_dir``, if it is this very one; start it if there is none.
        limit_batches: at most this many batches an epoch, and in each evaluation.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        precision: ``"auto"``, ``"float32"`` or ``"bfloat16"``.
        threads: of computation; by default every core that the process may use.
        workers: threads that decode images which do not fit in memory.
        compile: ``"auto"``, ``"on"`` or ``"off"``.
        progress: True shows it on stderr.
        model_changes: changes to the model's spec, such as ``{"shortcut": "C"}``.
        recipe_changes: changes to the recipe, such as ``{"epochs": 5}``.

    Raises:
        UsageError: for a name, value or folder that cannot be used.
        ResiduaError: for data that cannot be read, a loss that is no longer finite, a full disk.
        Interrupted: after Ctrl-C, SIGTERM or SIGHUP; ``resume`` goes on from the checkpoint.

    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise UsageError(f"a seed is a whole number from 0 to 2**63 - 1, not {seed!r}")
    if limit_batches is not None and limit_batches < 1:
        raise UsageError(f"limit_batches must be at least 1, not {limit_batches}")
    if run_dir is not None:
        check_name(Path(run_dir), "--run-dir")
    begun = run_to_go_on_with(model, run_dir, overwrite=overwrite) if resume_if_exists else None
    if run_dir is not None and begun is None:
        runs.refuse_existing(Path(run_dir), overwrite=overwrite)
    shown = make_progress(progress)
    if data is None:
        data = default_source(getattr(model, "spec", None) if isinstance(model, nn.Module) else model)
    loaded = (
        load_data(data, workers=workers or 0, storage=begun.data["storage"] if begun else None)
        if isinstance(data, str | Path | DataSpec)
        else data
    )
    network = _network(model, model_changes or {}, loaded, seed)
    chosen = find_recipe(recipe or default_recipe(loaded, network.spec), **(recipe_changes or {}))
    if weights is not None:
        shown.note("; ".join((f"weights: {adapt(network, weights)}", *weights.notes)))
    with _leaving(shown):
        request = Request(
            device=device, precision=precision, threads=threads, workers=workers, compile=compile
        )
        numbers = {"seed": seed, "limit_batches": limit_batches, "weights": weights_digest(weights)}
        if begun is not None:
            asked = _plan(as_planned(request, begun.plan), network, chosen, loaded)
            refuse_other(begun, model=network.spec, recipe=chosen, data=loaded, plan=asked, begun=numbers)
            return resume(begun, data=loaded, progress=shown)
        plan = _plan(request, network, chosen, loaded)
        task = _task(network, chosen, plan, loaded)
        about = _about(network, loaded)
        path = Path(run_dir) if run_dir is not None else runs.new_path(loaded.kind, network.spec.name, seed)
        files = {
            "spec.json": network.spec.to_dict(),
            "recipe.json": chosen.to_dict(),
            "plan.json": plan.to_dict(),
            "data.json": {**loaded.identity, **about["data"], "spec": loaded.spec.to_dict()},
            "env.json": {
                **describe_machine(),
                **numbers,
                "command": _command(),
                "sessions": [_session()],
            },
        }
        with runs.writing(path):
            folder = runs.create(
                path,
                files,
                lambda at: save_checkpoint(at / "checkpoints" / "last.safetensors", task, State(), about),
                overwrite=overwrite,
            )
            runs.point_latest(folder.path)
            if old := runs.replaced(folder.path):
                shown.note(f"the run that stood at {folder.path} is kept as {old} until this one is complete")
            session = Session(
                folder=folder,
                task=task,
                data=loaded,
                recipe=chosen,
                plan=plan,
                seed=seed,
                limit=limit_batches,
                about=about,
                state=State(),
                progress=shown,
            )
            with telling_how_to_go_on(folder.path):
                return session.run()


def resume(
    run: str | Path | RunFolder,
    *,
    epochs: int | None = None,
    allow_inexact: bool = False,
    retune: bool = False,
    data: str | Source | None = None,
    progress: bool | Progress = True,
) -> RunFolder:
    """Go on with an interrupted run and return it finished; weights and metrics are those of an uninterrupted one.

    A run that is complete is returned as it is; its final weights and logs are mended, if they are damaged.

    Args:
        run: the run folder.
        epochs: train to this many epochs instead (more than are done). The schedule is stretched: it is a function
            of progress.
        allow_inexact: go on although the machine or the versions differ from the plan's.
        retune: make every automatic choice anew; implies ``allow_inexact``.
        data: where the same images lie now, if they have moved; or loaded ``Data``.
        progress: True shows it on stderr.

    Raises:
        UsageError: if ``epochs`` are fewer than are done.
        ResiduaError: if the data, the machine or the versions are not the run's, or the checkpoint is damaged.
        Interrupted: as of ``fit``.

    """
    folder = run if isinstance(run, RunFolder) else RunFolder(runs.resolve_run(run))
    shown = make_progress(progress)
    if folder.result is not None and epochs in (None, folder.result["epochs"]):
        if damaged_logs(folder.path) or not is_intact(folder.weights):
            with runs.writing(folder.path):
                _say(mend_logs(folder.path, folder.last) + mend_weights(folder))
        shown.note(f"{folder.path} is complete: nothing is left to train")
        return folder
    with runs.writing(folder.path), _leaving(shown), telling_how_to_go_on(folder.path):
        recipe, seed, plan = folder.recipe, folder.seed, folder.plan
        if recipe.iterations is None and epochs == recipe.epochs:
            epochs = None  # an extension that was interrupted
        if not (retune or allow_inexact):
            check_here(plan)
        loaded = _data_again(folder, data, plan) if data is None or isinstance(data, str) else data
        difference = same_identity(folder.data, loaded.identity)
        if difference:
            raise ResiduaError(f"{loaded.spec.source} is not what {folder.name} was trained on: {difference}")
        network = build(folder.spec)
        if retune:
            plan = _plan(Request(device=plan.device), network, recipe, loaded)
        limit = folder.env["limit_batches"]
        _say(mend_logs(folder.path, folder.last))
        task = _task(network, recipe, plan, loaded)
        state = load_checkpoint(folder.last, task)
        if epochs is not None:
            recipe = _extended(folder, recipe, state, epochs)
            task = _task(network, recipe, plan, loaded)
            state = load_checkpoint(folder.last, task)
            remove(folder.path / "result.json")  # the training is no longer complete
            write_json(folder.path / "recipe.json", recipe.to_dict())
        if retune:
            write_json(folder.path / "plan.json", plan.to_dict())
        env = folder.env
        write_json(folder.path / "env.json", {**env, "sessions": [*env["sessions"], _session()]})
        about = _about(network, loaded)
        session = Session(
            folder=folder,
            task=task,
            data=loaded,
            recipe=recipe,
            plan=plan,
            seed=seed,
            limit=limit,
            about=about,
            state=state,
            progress=shown,
        )
        return session.run()


def _say(mended: list[str]) -> None:
    """What was lost is said by the logger, also to a program that wants to see no progress."""
    for said in mended:
        _log.warning("%s", said)


def _data_again(folder: RunFolder, moved: str | None, plan: Plan) -> Source:
    """The data of a run, from where they were or from where they lie now."""
    spec = own_data(folder) if moved is None else folder.data_spec.moved(moved)
    return load_data(spec, workers=plan.workers, storage=folder.data["storage"])


def _network(model: Any, changes: Mapping[str, Any], data: Source, seed: int) -> Any:
    """The network to train, its classes and channels those of the data."""
    if isinstance(model, nn.Module):
        if not isinstance(getattr(model, "spec", None), ModelSpec):
            raise UsageError(
                "fit trains modules made by create_model; register a family for a network of your own"
            )
        if changes:
            raise UsageError("model_changes need a name or a spec, not a module that is already built")
        network = model
    else:
        seed_torch(seed, "init")
        name = default_model(data) if model is None else model
        network = build(model_spec(name, **{**data.model_changes(), **changes}))
    spec: Any = network.spec
    for key, value in data.model_changes().items():
        if getattr(spec, key) != value:
            raise UsageError(
                f"the model has {key}={getattr(spec, key)}, which does not suit the data: {key}={value} fits"
            )
    return network


def _plan(request: Request, network: Any, recipe: Recipe, data: Source) -> Plan:
    steps = recipe.iterations or recipe.epochs * max(len(data.train) // recipe.batch_size, 1)
    forward = totals(network.spec, network.spec.input_shape(data.shape))[1]
    return make_plan(request, network, 3 * recipe.batch_size * forward, steps)  # backward costs two forwards


def _task(network: Any, recipe: Recipe, plan: Plan, data: Source) -> Task:
    return make_task(place(network, plan.device, plan.memory_format), recipe, plan, data)


def _about(network: Any, data: Source) -> dict[str, Any]:
    """What every weight file of the run says of itself."""
    return {"spec": network.spec.to_dict(), "data": data.about()}


def _extended(folder: RunFolder, recipe: Recipe, state: State, epochs: int) -> Recipe:
    if (recipe.iterations is None and epochs < recipe.epochs) or epochs <= state.epochs_closed:
        done = max(recipe.epochs if recipe.iterations is None else 0, state.epochs_closed)
        raise UsageError(f"--epochs can only extend {folder.path}: {epochs} is not above {done}")
    return find_recipe(recipe, epochs=epochs)


@contextmanager
def _leaving(progress: Progress) -> Iterator[None]:
    """Take the bar off the screen however a training ends."""
    try:
        yield
    finally:
        progress.stop()


def _command() -> list[str]:
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


def _session() -> dict[str, Any]:
    return {"started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "command": _command()}

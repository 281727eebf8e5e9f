"""``fit`` and ``resume``: from a model, data and a recipe to a finished run folder."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from residua.analysis.cost import totals
from residua.data import Data, TrainBatches, eval_batches, load_data, same_identity
from residua.errors import ResiduaError, UsageError
from residua.files import write_json
from residua.machine import describe_machine
from residua.models.weights import Weights, adapt, save_model
from residua.registry import build, model_spec
from residua.spec import DataSpec, ModelSpec, Recipe
from residua.train import run as runs
from residua.train.checkpoint import State, load_checkpoint, save_checkpoint
from residua.train.classification import Classification
from residua.train.defaults import default_model, default_recipe
from residua.train.loop import Loop
from residua.train.plan import Plan, Request, applied, check_here, make_plan
from residua.train.progress import Progress, make_progress
from residua.train.recipes import recipe as find_recipe
from residua.train.run import RunFolder
from residua.train.seeding import seed_torch
from residua.train.track import tracked

_EVAL_BATCH = 256


def fit(
    model: str | ModelSpec | nn.Module | None = None,
    data: str | Path | DataSpec | Data = "digits",
    recipe: str | Recipe | None = None,
    *,
    seed: int = 0,
    weights: Weights | None = None,
    run_dir: str | Path | None = None,
    overwrite: bool = False,
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
        data: ``"digits"``, a path, ``"kind:path"``, a ``DataSpec`` or loaded ``Data``.
        recipe: a name or a ``Recipe``; by default one that suits the data.
        seed: everything random follows from it: initialisation, order, augmentation, drop path. Splits do not.
        weights: start from these (fine-tuning); a classifier for other classes starts fresh.
        run_dir: the folder to make; by default a new one under ``runs/``.
        overwrite: replace a run that stands at ``run_dir``.
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
        Interrupted: after Ctrl-C or SIGTERM; ``resume`` goes on from the checkpoint.

    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise UsageError(f"a seed is a whole number from 0 to 2**63 - 1, not {seed!r}")
    if limit_batches is not None and limit_batches < 1:
        raise UsageError(f"limit_batches must be at least 1, not {limit_batches}")
    if run_dir is not None:
        runs.refuse_existing(Path(run_dir), overwrite=overwrite)
    shown = make_progress(progress)
    loaded = data if isinstance(data, Data) else load_data(_source(data), workers=workers or 0)
    chosen = find_recipe(recipe or default_recipe(loaded), **(recipe_changes or {}))
    network = _network(model, model_changes or {}, loaded, seed)
    if weights is not None:
        shown.note(f"weights: {adapt(network, weights)}")
    with _leaving(shown):
        request = Request(
            device=device, precision=precision, threads=threads, workers=workers, compile=compile
        )
        steps = chosen.iterations or chosen.epochs * max(len(loaded.train) // chosen.batch_size, 1)
        step_work = (
            3 * chosen.batch_size * totals(network.spec, loaded.shape)[1]
        )  # backward costs two forwards
        plan = make_plan(request, network, step_work, steps)
        task = _task(network, chosen, plan)
        about = _about(network, loaded)
        path = Path(run_dir) if run_dir is not None else runs.new_path(loaded.kind, network.spec.name, seed)
        files = {
            "spec.json": network.spec.to_dict(),
            "recipe.json": chosen.to_dict(),
            "plan.json": plan.to_dict(),
            "data.json": {**loaded.identity, **about["data"], "spec": loaded.spec.to_dict()},
            "env.json": {
                **describe_machine(),
                "seed": seed,
                "limit_batches": limit_batches,
                "command": _command(),
                "sessions": [_session()],
            },
        }
        folder = runs.create(
            path,
            files,
            lambda at: save_checkpoint(at / "checkpoints" / "last.safetensors", task, State(), about),
            overwrite=overwrite,
        )
        runs.point_latest(folder.path)
        return _train(
            _Training(folder, task, loaded, chosen, plan, seed, limit_batches, about, State(), shown)
        )


def resume(
    run: str | Path | RunFolder,
    *,
    epochs: int | None = None,
    allow_inexact: bool = False,
    retune: bool = False,
    data: str | None = None,
    progress: bool | Progress = True,
) -> RunFolder:
    """Go on with an interrupted run and return it finished; weights and metrics are those of an uninterrupted one.

    Args:
        run: the run folder.
        epochs: train to this many epochs instead (more than are done). The schedule is stretched: it is a function
            of progress.
        allow_inexact: go on although the machine or the versions differ from the plan's.
        retune: make every automatic choice anew; implies ``allow_inexact``.
        data: where the same images lie now, if they have moved.
        progress: True shows it on stderr.

    Raises:
        UsageError: if the run is complete and ``epochs`` does not extend it.
        ResiduaError: if the data, the machine or the versions are not the run's, or the checkpoint is damaged.

    """
    folder = run if isinstance(run, RunFolder) else RunFolder(runs.resolve_run(run))
    shown = make_progress(progress)
    with runs.locked(folder.path), _leaving(shown):
        recipe, seed, plan = folder.recipe, folder.seed, folder.plan
        if folder.result is not None and epochs is None:
            raise UsageError(f"{folder.path} is complete; --epochs N with N above {recipe.epochs} extends it")
        if not (retune or allow_inexact):
            check_here(plan)
        spec = folder.data_spec.change(source=data) if data else folder.data_spec
        loaded = load_data(spec, workers=plan.workers, storage=folder.data["storage"])
        difference = same_identity(folder.data, loaded.identity)
        if difference:
            raise ResiduaError(f"{spec.source} is not what {folder.name} was trained on: {difference}")
        network = build(folder.spec)
        if retune:
            plan = _plan(Request(device=plan.device), network, recipe, loaded)
        limit = folder.env["limit_batches"]
        task = _task(network, recipe, plan)
        state = load_checkpoint(folder.last, task)
        if epochs is not None:
            recipe = _extended(folder, recipe, state, epochs)
            task = _task(network, recipe, plan)
            state = load_checkpoint(folder.last, task)
            (folder.path / "result.json").unlink(missing_ok=True)  # the training is no longer complete
            write_json(folder.path / "recipe.json", recipe.to_dict())
        if retune:
            write_json(folder.path / "plan.json", plan.to_dict())
        env = folder.env
        write_json(folder.path / "env.json", {**env, "sessions": [*env["sessions"], _session()]})
        about = _about(network, loaded)
        training = _Training(folder, task, loaded, recipe, plan, seed, limit, about, state, shown)
        return _train(training, lock=False)


@dataclass
class _Training:
    folder: RunFolder
    task: Classification
    data: Data
    recipe: Recipe
    plan: Plan
    seed: int
    limit: int | None
    about: dict[str, Any]
    state: State
    progress: Progress


def _train(t: _Training, *, lock: bool = True) -> RunFolder:
    """Train to the end, measure the test images once, and write what makes the run complete."""
    path = t.folder.path
    guard = runs.locked(path) if lock else nullcontext()
    with guard, applied(t.plan), tracked(path, t.progress) as progress:
        batches = TrainBatches(
            data=t.data,
            batch_size=t.recipe.batch_size,
            seed=t.seed,
            pad=t.data.pad if t.recipe.pad is None else t.recipe.pad,
            flip=t.data.flip if t.recipe.flip is None else t.recipe.flip,
            device=t.plan.device,
            memory_format=t.plan.memory_format,
            limit=t.limit,
        )

        def measured_on(split: str) -> Any:
            return eval_batches(
                t.data,
                split,
                _EVAL_BATCH,
                device=t.plan.device,
                memory_format=t.plan.memory_format,
                limit=t.limit,
            )

        loop = Loop(
            t.task,
            batches,
            (lambda: measured_on("val")) if t.data.val is not None else None,
            recipe=t.recipe,
            seed=t.seed,
            folder=path,
            about=t.about,
            state=t.state,
            progress=progress,
        )
        state = loop.run()
        test, images = loop.measure(measured_on("test"))  # the one time that the test images are looked at
        save_model(path / "model.safetensors", t.task.model, t.about["data"])
        write_json(path / "result.json", _result(t, state, test, images))
    return RunFolder(path)


def _result(t: _Training, state: State, test: dict[str, float], images: int) -> dict[str, Any]:
    last = state.last_epoch
    parameters, multiply_adds = totals(t.folder.spec, t.data.shape)
    return {
        "schema": 1,
        "run_dir": str(t.folder.path),
        "model": t.folder.spec.name,
        "recipe": t.recipe.name,
        "data": t.data.kind,
        "seed": t.seed,
        "parameters": parameters,
        "multiply_adds": multiply_adds,
        "epochs": state.epochs_closed,
        "steps": state.step,
        "seconds": round(state.seconds, 3),
        "primary": t.task.primary.name,
        **{name: last.get(name) for name in ("train_accuracy", "train_loss", "val_accuracy", "val_loss")},
        "best_val_accuracy": state.best,
        "best_epoch": state.best_epoch,
        **{f"test_{name}": value for name, value in test.items()},
        "test_images": images,
    }


def _source(data: str | Path | DataSpec) -> DataSpec:
    return data if isinstance(data, DataSpec) else DataSpec(source=str(data))


def _network(model: Any, changes: Mapping[str, Any], data: Data, seed: int) -> Any:
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
        wanted = {"num_classes": len(data.classes), "in_channels": data.shape[0], **changes}
        seed_torch(seed, "init")
        network = build(model_spec(default_model(data) if model is None else model, **wanted))
    spec: Any = network.spec
    if spec.num_classes != len(data.classes):
        raise UsageError(
            f"the model has {spec.num_classes} classes, the data {len(data.classes)}: "
            f"num_classes={len(data.classes)} fits"
        )
    if spec.in_channels != data.shape[0]:
        raise UsageError(
            f"the model takes {spec.in_channels} channels, the images have {data.shape[0]}: "
            f"in_channels={data.shape[0]} fits"
        )
    return network


def _plan(request: Request, network: Any, recipe: Recipe, data: Data) -> Plan:
    steps = recipe.iterations or recipe.epochs * max(len(data.train) // recipe.batch_size, 1)
    step_work = 3 * recipe.batch_size * totals(network.spec, data.shape)[1]  # backward costs two forwards
    return make_plan(request, network, step_work, steps)


def _task(network: Any, recipe: Recipe, plan: Plan) -> Classification:
    return Classification(network.to(plan.device, memory_format=plan.memory_format), recipe, plan)


def _about(network: Any, data: Data) -> dict[str, Any]:
    """What every weight file of the run says of itself."""
    images = {
        "kind": data.kind,
        "classes": list(data.classes),
        "shape": list(data.shape),
        "mean": list(data.mean),
        "std": list(data.std),
    }
    return {"spec": network.spec.to_dict(), "data": images}


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

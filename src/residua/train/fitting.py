"""``fit``: from a model, data and a recipe to a finished run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from torch import nn

from residua.errors import UsageError
from residua.machine import describe_machine
from residua.names import check_name
from residua.runs import layout
from residua.runs.checkpoint import State, save_checkpoint
from residua.runs.find import new_path, point_latest
from residua.runs.folder import RunFolder, first_session
from residua.runs.place import create, refuse_existing, replaced, writing
from residua.spec import ModelSpec, Recipe
from residua.train.asked import as_planned, refuse_other, run_to_go_on_with, weights_digest
from residua.train.batch_size import LARGEST, with_batch, with_largest_batch
from residua.train.callbacks import Callback, Callbacks
from residua.train.choices import choose
from residua.train.defaults import default_source
from residua.train.following import lead, led_by_the_first
from residua.train.plan import Request, choose_device
from residua.train.prepare import (
    file_header,
    load_and_choose,
    network_for,
    normalized_as_learned,
    plan_for,
    task_for,
)
from residua.train.processes import current
from residua.train.progress import Progress, make_progress
from residua.train.recipes import recipe as find_recipe
from residua.train.resuming import leaving, resume
from residua.train.task import task_of
from residua.train.track import Asked, trackers
from residua.user_files import digests, files_in_use
from residua.weights.bundled import bundled_file
from residua.weights.model_files import Weights, adapt, read_weights


@led_by_the_first
def fit(
    model: str | ModelSpec | nn.Module | None = None,
    data: Any = None,
    recipe: str | Recipe | None = None,
    *,
    seed: int = 0,
    weights: Weights | Literal["random"] | None = None,
    run_dir: str | Path | None = None,
    overwrite: bool = False,
    resume_if_exists: bool = False,
    limit_batches: int | None = None,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    workers: int | None = None,
    compile: str = "auto",
    memory: Literal["full", "low"] | None = None,
    channels_last: bool | None = None,
    cuda_graphs: bool | None = None,
    tf32: bool | None = None,
    tune: bool = False,
    progress: bool | Progress = True,
    track: Asked = None,
    callbacks: Sequence[Callback] = (),
    model_changes: Mapping[str, Any] | None = None,
    recipe_changes: Mapping[str, Any] | None = None,
) -> RunFolder:
    """Train a network on images and return its finished run folder.

    Args:
        model: a name, a spec, or a module made by ``create_model`` (it is trained in place); by default one that
            suits the size of the images. The number of classes and channels of a name follow the data.
        data: ``"digits"``, a path, ``"kind:path"``, a ``DataSpec``, loaded ``Data``, arrays ``(X, y)``, a torch
            Dataset or DataLoader (``residua.data.data_of``); by default what the model's family is trained on.
        recipe: a name or a ``Recipe``; by default the one of the model's family, or one that suits the data.
        seed: everything random follows from it: initialisation, order, augmentation, drop path. Splits do not.
        weights: start from these (fine-tuning); a classifier for other classes starts fresh. Images are normalised as
            those that they were trained on, and the recipe of a classifier is by default ``"finetune"``.
        run_dir: the folder to make; by default a new one under ``runs/``.
        overwrite: replace a run that stands at ``run_dir``.
        resume_if_exists: go on with the run at ``run_dir``, if it is this very one; start it if there is none.
        limit_batches: at most this many batches an epoch, and in each evaluation.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        precision: ``"auto"``, ``"float32"`` or ``"bfloat16"``.
        threads: of computation; by default every core that the process may use.
        workers: threads that decode images which do not fit in memory.
        compile: ``"auto"``, ``"on"`` or ``"off"``.
        memory: ``"low"`` keeps few activations and computes the others again in the backward pass, to the same bits in
            about four thirds of the time; ``"full"`` by default.
        channels_last: how images lie in memory; by default with their channels last.
        cuda_graphs: whether a GPU is given a compiled step at once; needs ``compile="on"``.
        tf32: whether a GPU may round the factors of float32 products; by default where it is quicker.
        tune: time precision, layout, threads and compilation on this machine, as far as they are not named here, and
            remember what is quickest for this network and batch.
        progress: True shows it on stderr.
        track: where figures go beside the run folder, such as ``"mlflow,wandb"`` or ``"none"``; by default to
            TensorBoard, if it is installed.
        callbacks: what is to be done after steps, epochs and at the end (``residua.train.Callback``).
        model_changes: changes to the model's spec, such as ``{"shortcut": "C"}``.
        recipe_changes: changes to the recipe, such as ``{"epochs": 5}``. ``{"batch_size": "auto"}`` finds the largest
            batch that fits into memory.

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
    said = {name: value for name, value in (recipe_changes or {}).items() if (name, value) != LARGEST}
    finds_batch = said != (recipe_changes or {})
    begun = run_to_go_on_with(model, run_dir, overwrite=overwrite) if resume_if_exists else None
    if run_dir is not None and begun is None:
        refuse_existing(Path(run_dir), overwrite=overwrite)
    shown, told, following = make_progress(progress), Callbacks(given=callbacks), trackers(track)
    named = getattr(model, "spec", None) if isinstance(model, nn.Module) else model
    if data is None:
        data = default_source(named)
    choosing = partial(
        choose,
        model=named,
        weights=weights,
        recipe=recipe,
        recipe_changes=said,
        device=choose_device(device),
        threads=threads,
    )
    storage = begun.data["storage"] if begun else None
    loaded, choice = load_and_choose(
        data, choosing, model_changes or {}, workers=workers or 0, storage=storage
    )
    if choice.weights is not None:
        weights = read_weights(bundled_file(choice.weights))
    elif weights == "random":
        weights = None
    if weights is not None:
        loaded = normalized_as_learned(loaded, weights)
    network = network_for(choice.model if model is None else model, model_changes or {}, loaded, seed)
    task = task_of(network.spec, loaded.about(), choice.recipe)
    # the task is said in the recipe, so that its options can be changed
    chosen = find_recipe(choice.recipe.change(task=task), **said)
    if chosen.finetuning is not None and weights is None and not isinstance(model, nn.Module):
        raise UsageError(f"the recipe {chosen.name} goes on from trained weights: name them with --weights")
    if weights is not None:
        shown.note("; ".join((f"weights: {adapt(network, weights)}", *weights.notes)))
    request = Request(
        device=device,
        precision=precision,
        threads=threads,
        workers=workers,
        compile=compile,
        memory=memory,
        processes=current(),
        channels_last=channels_last,
        cuda_graphs=cuda_graphs,
        tf32=tf32,
        tune=tune,
    )
    numbers = {"seed": seed, "limit_batches": limit_batches, "weights": weights_digest(weights)}
    with leaving(shown):
        if begun is not None:
            if finds_batch:
                chosen = with_batch(chosen, begun.recipe.batch_size, said)
            asked = plan_for(network, chosen, loaded, as_planned(request, begun.plan))
            refuse_other(begun, model=network.spec, recipe=chosen, data=loaded, plan=asked, begun=numbers)
            return resume(begun, data=loaded, progress=shown, track=track, callbacks=callbacks)
        reasons = choice.reasons
        if finds_batch:
            chosen, reasons = with_largest_batch(network, chosen, loaded, request, said, reasons)
        plan = plan_for(network, chosen, loaded, request, limit=limit_batches, tell=shown.note)
        for reason in reasons:
            shown.note(str(reason))
        plan = plan.change(reasons=(*map(str, reasons), *plan.reasons))
        training, about = task_for(network, chosen, loaded, plan), file_header(network, loaded)
        path = Path(run_dir) if run_dir is not None else new_path(loaded.kind, network.spec.name, seed)
        tables = {
            layout.SPEC: network.spec.to_dict(),
            layout.RECIPE: chosen.to_dict(),
            layout.PLAN: plan.to_dict(),
            layout.DATA: {**loaded.identity, **about["data"], "spec": loaded.spec.to_dict()},
            layout.ENV: {
                **describe_machine(),
                **numbers,
                "files": digests(files_in_use()),
                "track": [one.to_dict() for one in following],
                **first_session(),
            },
        }
        with writing(path):
            folder = create(
                path,
                tables,
                lambda new: save_checkpoint(new / layout.LAST, training, State(), about),
                overwrite=overwrite,
            )
            point_latest(folder.path)
            if old := replaced(folder.path):
                shown.note(f"the run that stood at {folder.path} is kept as {old} until this one is complete")
            return lead(folder, training, loaded, State(), shown, following, told)

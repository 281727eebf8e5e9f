"""What a training is put together from: the network, the plan and the task that suit each other and the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from residua.analysis.cost import totals
from residua.data import AnyData, NormalizedData, load_data
from residua.data.facts import facts_of, read_facts
from residua.data.given import as_data
from residua.errors import ResiduaError, UsageError
from residua.meta import without_numbers
from residua.nn import place
from residua.registry import build, model_spec
from residua.runs.folder import RunFolder
from residua.runs.trusted_data import trusted_data
from residua.spec import DataSpec, ModelSpec, Recipe, Resolution
from residua.spec.stored import checked
from residua.train.choices import Choice
from residua.train.plan import Plan, Request, make_plan
from residua.train.seeding import seed_torch
from residua.train.speed import BACKWARD
from residua.train.task import Task, make_task
from residua.train.trial import Trial
from residua.weights.model_files import Weights


def load_and_choose(
    data: Any,
    choosing: Callable[..., Choice],
    model_changes: Mapping[str, Any],
    *,
    workers: int,
    storage: str | None,
) -> tuple[AnyData, Choice]:
    """The loaded data, and what ``choosing`` (``choose`` with all that the user says) makes of the facts about them.

    Of images whose size is open the facts are read first, so that none is decoded at a size that is not wanted.
    """
    if not isinstance(data, str | Path | DataSpec):
        loaded = as_data(data)
    else:
        spec = DataSpec.of(data)
        facts = read_facts(spec, threads=workers) if spec.image_size is None else None
        if facts is not None:
            choice = choosing(facts, model_changes=model_changes)
            sized = spec.change(image_size=choice.image_size)
            return load_data(sized, workers=workers, storage=storage), choice
        loaded = load_data(spec, workers=workers, storage=storage)
    return loaded, choosing(facts_of(loaded), model_changes={**loaded.model_changes(), **model_changes})


def data_again(folder: RunFolder, moved: str | None, plan: Plan) -> AnyData:
    """The data of a run, from where they were or from where they lie now."""
    spec = trusted_data(folder) if moved is None else folder.data_spec.moved(moved)
    return load_data(spec, workers=plan.workers, storage=folder.data["storage"])


def network_for(model: Any, changes: Mapping[str, Any], data: AnyData, seed: int) -> Any:
    """The network to train, its classes and channels those of the data. Raises UsageError if it does not suit them.

    ``model`` is a module, or a name or a spec that ``changes`` are made to.
    """
    if isinstance(model, nn.Module):
        if not isinstance(getattr(model, "spec", None), ModelSpec):
            raise UsageError(
                "fit trains modules made by create_model; register a family for a network of your own"
            )
        if changes:
            raise UsageError("model_changes need a name or a spec, not a module that is already built")
        network: Any = model
    else:
        seed_torch(seed, "init")
        network = build(model_spec(model, **{**data.model_changes(), **changes}))
    for key, value in data.model_changes().items():
        if getattr(network.spec, key) != value:
            raise UsageError(
                f"the model has {key}={getattr(network.spec, key)}, which does not suit the data: {key}={value} fits"
            )
    return network


def normalized_as_learned(data: AnyData, weights: Weights) -> AnyData:
    """The data, normalised as the images that the weights were trained on, where these had as many channels.

    Others would be another input for what is trained; a mean that the user names is kept. Raises ResiduaError if the
    weights' file states them wrongly.
    """
    mean, std = weights.data.get("mean"), weights.data.get("std")
    if None in (mean, std) or data.spec.mean is not None or not isinstance(data, NormalizedData):
        return data
    stated = checked({"mean": mean, "std": std}, dict[str, list[float]], weights.title)
    if len(stated["mean"]) != data.shape[0]:
        return data
    try:
        return data.normalized_with(**stated, of="the images that the weights were trained on")
    except UsageError as error:  # the file is wrong, not the caller
        raise ResiduaError(f"{weights.title}: {error}") from error


def plan_for(
    network: Any,
    recipe: Recipe,
    data: AnyData,
    request: Request,
    *,
    limit: int | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Plan:
    """Every automatic choice of a training of at most ``limit`` batches an epoch; ``tell`` hears what takes long."""
    epoch = max(len(data.train) // recipe.batch_size, 1)
    steps = recipe.iterations or recipe.epochs * min(epoch, limit or epoch)
    forward = totals(network.spec, network.spec.input_shape(data.shape))[1]
    work = (1 + BACKWARD) * recipe.batch_size * forward
    return make_plan(request, network, work, steps, Trial(network, recipe, data, tell))


def task_for(network: Any, recipe: Recipe, data: AnyData, plan: Plan) -> Task:
    """The task of a training, its network where the plan wants it.

    Raises UsageError if the network does not take images as small as the recipe begins with, or parts of a batch as
    small, if the data do not take its augmentation, and as ``make_task``.
    """
    data.train_batches(recipe, seed=0)
    if recipe.resolution is not None:
        _check_smallest(network, recipe.resolution, data)
    if min(recipe.batch_size, len(data.train)) // recipe.accumulate < 2:
        _refuse_lone_samples(network, data)
    return make_task(place(network, plan.device, plan.memory_format), recipe, plan, data)


def _refuse_lone_samples(network: Any, data: AnyData) -> None:
    """Raise UsageError if the network has a batch norm that would see a single number of each channel."""
    spec = network.spec
    if not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()):
        return
    with without_numbers():
        alone = build(spec).train()
        try:
            alone(torch.empty(1, *spec.input_shape(data.shape)))
        except UsageError:
            raise
        except ValueError as error:  # torch's, of a number that has no deviation
            raise UsageError(
                f"batch norm cannot train {spec.name} on one sample at a time ({error}): take batches of at least two "
                "samples (--batch-size; recipe.accumulate divides them), or another norm (--set model.norm=group)"
            ) from error


def _check_smallest(network: Any, resolution: Resolution, data: AnyData) -> None:
    if len(data.shape) < 3:
        raise UsageError(
            f"{resolution.title()} is for images, which {data.spec.source} has not: leave it out"
        )
    sides = [resolution.side(0.0, side) for side in data.shape[-2:]]
    try:
        totals(network.spec, network.spec.input_shape((*data.shape[:-2], *sides)))
    except UsageError as error:
        raise UsageError(f"{resolution.title()} begins with images of {sides[1]} pixels: {error}") from error


def file_header(network: Any, data: AnyData) -> dict[str, Any]:
    """What every weight file of a training says of itself."""
    return {"spec": network.spec.to_dict(), "data": data.about()}

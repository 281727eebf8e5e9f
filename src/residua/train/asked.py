"""Whether the run that stands at a place is the one that is asked for, so that one command starts it and goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from residua.data import AnyData, same_identity
from residua.data.identity import digest
from residua.errors import UsageError
from residua.names import command
from residua.runs.checkpoint import read_state
from residua.runs.find import resolve_run
from residua.runs.folder import RunFolder
from residua.spec import DataSpec, ModelSpec, Recipe
from residua.train.plan import Plan, Request
from residua.train.recipes import recipe as find_recipe
from residua.weights.model_files import Weights, read_about

# of a plan, by a request
_CHOSEN = (
    *("device", "precision", "threads", "workers", "channels_last"),
    *("compile", "cuda_graphs", "tf32", "memory"),
)
_ANYWHERE = (
    "schema",
    "source",
    "strict",
    "kind",
    "path",
)  # of data: they may have moved; their identity is compared


def run_to_go_on_with(model: Any, run_dir: str | Path | None, *, overwrite: bool) -> RunFolder | None:
    """The run that stands at ``run_dir``, if there is one. Raises UsageError for what cannot be gone on with."""
    if run_dir is None or overwrite:
        raise UsageError(
            "--resume-if-exists goes with --run-dir, which says where the run is, without --overwrite"
        )
    if isinstance(model, nn.Module):
        raise UsageError(
            "resume_if_exists needs a model's name or spec: what is resumed is a network of its own"
        )
    try:
        resolve_run(Path(run_dir).absolute())  # as a path, which no name under runs/ is
    except UsageError:
        return None
    return RunFolder(run_dir)


def refuse_other(
    run: RunFolder, *, model: ModelSpec, recipe: Recipe, data: AnyData, plan: Plan, begun: Mapping[str, Any]
) -> None:
    """Raise UsageError naming the first thing in which ``run`` is another training than the one described.

    ``plan`` is the one that ``as_planned`` led to; ``begun`` holds the values of ``env.json`` that decide numbers.
    """
    env = run.env
    tables = {
        "model": (run.spec.flat(), model.flat()),
        "recipe": (run.recipe.flat(), recipe.flat()),
        "run": ({key: env[key] for key in begun if key in env}, begun),
        "data": (_as_split(run.data_spec), _as_split(data.spec)),
        "plan": tuple(
            {key: getattr(each, key) for key in (*_CHOSEN, "processes")} for each in (run.plan, plan)
        ),
    }
    differing = [
        f"{table}.{key} is {there[key]!r} there, {asked.get(key)!r} is asked for"
        for table, (there, asked) in tables.items()
        for key in there
        if there[key] != asked.get(key)
    ]
    if changed := same_identity(run.data, data.identity):
        differing.append(changed)
    if differing:
        raise UsageError(
            f"{run.path} holds another run: {differing[0]}; another --run-dir keeps both, "
            f"{command('residua', 'train', '--resume', run.path)} goes on with that one"
        )


def _as_split(spec: DataSpec) -> dict[str, Any]:
    """What is asked of data, wherever they lie."""
    options = {**spec.to_dict(), **spec.source.to_dict()}
    return {key: value for key, value in options.items() if key not in _ANYWHERE}


def as_planned(request: Request, plan: Plan) -> Request:
    """The request with every choice that it leaves open made as in ``plan``."""
    made = {name: getattr(plan, name) for name in _CHOSEN} | {
        "compile": "off" if plan.compile == "off" else "on"
    }
    return replace(
        request, **{name: made[name] for name in _CHOSEN if getattr(request, name) in (None, "auto")}
    )


def extended(folder: RunFolder, recipe: Recipe, epochs: int) -> Recipe:
    """A recipe of more epochs than are done. Raises UsageError for fewer."""
    state = read_state(folder.last, read_about(folder.last))
    if (recipe.iterations is None and epochs < recipe.epochs) or epochs <= state.epochs_closed:
        done = max(recipe.epochs if recipe.iterations is None else 0, state.epochs_closed)
        raise UsageError(f"--epochs can only extend {folder.path}: {epochs} is not above {done}")
    return find_recipe(recipe, epochs=epochs)


def weights_digest(weights: Weights | None) -> str | None:
    """What the weights that a training starts from are told from others by."""
    return None if weights is None else digest(_contents(weights.tensors))


def _contents(tensors: Mapping[str, torch.Tensor]) -> Iterator[bytes | memoryview]:
    for name, tensor in sorted(tensors.items()):
        yield name.encode()
        yield tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data

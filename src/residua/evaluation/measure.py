"""``measure``: networks of any task on the data of their task, by the figures of their training."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.data import Data, load_data
from residua.data.annotated import SceneData
from residua.data.sources.csv_targets import TargetData
from residua.errors import ResiduaError, UsageError
from residua.evaluation.outputs import SPLITS, Progress
from residua.evaluation.source import NetworkLike, Trained, data_spec, notes_of, open_source
from residua.nn import place
from residua.runs.checkpoint import load_checkpoint
from residua.spec import DataSpec, Recipe
from residua.train.plan import Plan, Request, applied, choose_device, make_plan
from residua.train.session import eval_batch
from residua.train.task import make_task
from residua.train.task import measure as measure_task


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one network is worth on one part of its task's data."""

    schema: int = 1
    source: str
    task: str
    data: str
    split: str
    precision: str
    n: int  # samples
    samples: str  # what they are: images; of text the bytes that were asked for
    primary: str  # the figure that the task is judged by
    direction: str  # "max" or "min": what is better of it
    figures: dict[str, float | None]  # None: not finite
    notes: tuple[str, ...] = ()
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)


def measure(
    source: NetworkLike,
    data: str | Path | DataSpec | None = None,
    *,
    split: str = "test",
    batch_size: int | None = None,
    device: str = "auto",
    strict: bool = False,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Measure a trained network by the figures of its task: of a run on its own test part, those of its result.

    Args:
        source: a run folder, a weight file or a module, as ``evaluate`` takes it.
        data: by default what the run was trained on. Images are normalised as the network is used to.
        split: ``"train"``, ``"val"`` or ``"test"``.
        batch_size: samples at a time; by default those of the run. The figures of some tasks depend on it: which
            bytes are hidden from an encoder, the mean over the locations of a batch in a detector's loss.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        strict: refuse the first unreadable file instead of leaving it out.
        limit: at most this many batches.
        progress: called with the samples done and the samples in all.

    Raises UsageError for a source, split or device that there is not and for data that do not suit the network,
    ResiduaError for files that cannot be read.
    """
    for name, value in (("batch_size", batch_size), ("limit", limit)):
        if value is not None and value < 1:
            raise UsageError(f"{name} must be at least 1, not {value}")
    if split not in SPLITS:
        raise UsageError(f"a split is 'train', 'val' or 'test', not {split!r}")
    began, trained = time.perf_counter(), open_source(source)
    plan, recipe = _plan(trained, choose_device(device)), Recipe()
    if trained.run is not None:
        recipe = trained.run.recipe
    shown: Any = load_data(_data_spec(trained, data, strict=strict))
    part = getattr(shown, split)
    if part is None:
        raise UsageError(
            f"{shown.spec.source} has no {split} part (val_fraction is {shown.spec.val_fraction})"
        )
    notes = notes_of(trained, shown) if data is None else list(trained.notes)
    shown = _normalized(trained, shown)
    task = make_task(place(trained.model, plan.device, plan.memory_format), recipe, plan, shown)
    _check(trained, shown)
    if trained.run is not None and data is None and len(task.networks) > 1:
        load_checkpoint(trained.run.last, task)  # the judge of a GAN is a part of the run
    size = batch_size or eval_batch(recipe)

    def batches() -> Iterator[Any]:
        done, total = 0, min(len(part), size * limit if limit else len(part))
        for batch in shown.eval_batches(
            split, size, device=plan.device, memory_format=plan.memory_format, limit=limit
        ):
            yield batch
            done = min(done + size, total)
            if progress is not None:
                progress(done, total)

    with applied(plan):
        figures, count = measure_task(task, batches())
    if not count:
        raise ResiduaError(f"the {split} part of {shown.spec.source} has nothing that can be read")
    return Measurement(
        source=trained.name,
        task=trained.task.kind,
        data=str(shown.spec.source),
        split=split,
        precision=plan.precision,
        n=count,
        samples=trained.task.samples,
        primary=task.primary.name,
        direction=task.primary.direction,
        figures=figures,
        notes=tuple(notes),
        seconds=round(time.perf_counter() - began, 3),
    )


def _plan(trained: Trained, device: str) -> Plan:
    """The run's own, on this device and not compiled."""
    if trained.run is not None:
        return trained.run.plan.change(device=device, compile="off")
    request = Request(device=device, precision=trained.precision, compile="off")
    return make_plan(request, trained.model, 0, 0)


def _data_spec(trained: Trained, data: str | Path | DataSpec | None, *, strict: bool) -> DataSpec:
    spec = data_spec(trained, data, strict=strict)
    context = getattr(trained.spec, "context", None)
    return spec.change(context=context) if context and spec.source.kind == "text" else spec


def _normalized(trained: Trained, data: Any) -> Any:
    """Images with the network's own mean and std, targets likewise."""
    told = trained.images
    if told.targets is not None and told.targets != tuple(data.about().get("targets", ())):
        raise UsageError(
            f"{trained.name} predicts {', '.join(told.targets)}, which {data.spec.source} has not"
        )
    if told.mean is None or told.std is None or not isinstance(data, Data | SceneData | TargetData):
        return data
    if len(told.mean) != data.shape[0]:
        raise UsageError(
            f"{trained.name} takes {len(told.mean)} channels, {data.spec.source} has {data.shape[0]}"
        )
    if isinstance(data, TargetData):
        return data.as_trained(told.mean, told.std, told.target_mean or (), told.target_std or ())
    return dataclasses.replace(data, mean=told.mean, std=told.std)


def _check(trained: Trained, data: Any) -> None:
    """Raise UsageError unless classes, channels, symbols are those of the network."""
    for key, value in data.model_changes().items():
        own = getattr(trained.spec, key, value)
        if own != value:
            raise UsageError(f"{trained.name} has {key} {own}, {data.spec.source} has {value}")

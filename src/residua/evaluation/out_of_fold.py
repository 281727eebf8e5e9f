"""What networks say of training images that they did not train on: the run's training again, a fold left out each time.

A fold is a run folder of its own, below the run, so that what is done is not done again: an interrupted fold goes on
where it stopped. The folds hold every class alike, as far as that goes.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from residua.data import Data, load_data
from residua.data.batches.keyed import generator
from residua.data.part import part_of
from residua.errors import ResiduaError, UsageError
from residua.evaluation.outputs import Outputs, read_outputs
from residua.evaluation.source import open_classifier
from residua.runs.folder import RunFolder
from residua.runs.trusted_data import trusted_data
from residua.train.asked import weights_digest
from residua.train.fitting import fit
from residua.train.task import run_task
from residua.weights.bundled import bundled_file
from residua.weights.model_files import Weights, read_weights

FOLDS = 4
PLACE = "labels"  # below the run


def known_start(run: RunFolder) -> Weights | None:
    """The weights that come with the package, if the run began from them."""
    bundled = read_weights(bundled_file())
    return bundled if run.env.get("weights") == weights_digest(bundled) else None


def out_of_fold(
    run: RunFolder,
    *,
    folds: int = FOLDS,
    weights: Weights | None = None,
    data: str | None = None,
    progress: bool = True,
    began: Callable[[int, int], None] | None = None,
) -> tuple[Data, Outputs]:
    """The run's data, and the answers to its training images of networks that did not train on them.

    Each of ``folds`` networks is trained as the run was, on the others' images; ``weights`` is what they start from
    (those of a run that was fine-tuned are to be named again). ``data`` says where the images lie now, if they have
    moved; ``began`` is called with each fold's number and how many there are.

    Raises UsageError for a run that is not complete or no classifier, and for folds that are not 2 to 20, ResiduaError
    for what cannot be read, and what ``fit`` raises.
    """
    if run.result is None or run_task(run).answers != "classes":
        raise UsageError(f"{run.name} is no complete run of a classifier")
    if not 2 <= folds <= 20:
        raise UsageError(f"folds are 2 to 20, not {folds}")
    spec = trusted_data(run) if data is None else run.data_spec.moved(data)
    whole = load_data(spec, workers=run.plan.workers, storage=run.data["storage"])
    if not isinstance(whole, Data):
        raise UsageError(f"{run.name} has no images with a class each")
    if len(whole.train) < folds:
        raise ResiduaError(f"{run.name} has {len(whole.train)} training images, fewer than {folds} folds")
    parts = []
    for number, held in enumerate(_folds(whole.train.labels, folds), 1):
        if began is not None:
            began(number, folds)
        parts.append(
            _answers(run, _without(whole, held, folds), held, run.path / PLACE, number, weights, progress)
        )
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return whole, Outputs(**dict(zip(("log_probabilities", "labels", "positions"), columns, strict=True)))


def _folds(labels: np.ndarray, folds: int) -> Iterator[np.ndarray]:
    """Positions of each fold, in rising order; every class is dealt out in turn."""
    order = generator(0, "folds").permutation(len(labels))
    dealt = order[np.argsort(labels[order], kind="stable")]
    for number in range(folds):
        yield np.sort(dealt[number::folds])


def _without(whole: Data, held: np.ndarray, folds: int) -> Data:
    """The data with ``held`` for its test part, and the other training images to train on."""
    rest = np.setdiff1d(np.arange(len(whole.train)), held)
    counts = {**whole.identity["counts"], "train": len(rest), "test": len(held)}
    split = hashlib.sha256(f"{whole.identity['split_sha256']}{folds}{held.tolist()}".encode()).hexdigest()
    return dataclasses.replace(
        whole,
        train=part_of(whole.train, rest),
        test=part_of(whole.train, held),
        identity={**whole.identity, "counts": counts, "split_sha256": split},
    )


def _answers(
    run: RunFolder,
    data: Data,
    held: np.ndarray,
    place: Path,
    number: int,
    weights: Weights | None,
    progress: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    place.mkdir(exist_ok=True)
    how: dict[str, Any] = {"seed": run.seed, "device": run.plan.device, "precision": run.plan.precision}
    how |= {"threads": run.plan.threads, "workers": run.plan.workers, "limit_batches": run.limit}
    trained = open_classifier(
        fit(
            run.spec,
            data,
            run.recipe,
            **how,
            weights=weights,
            run_dir=place / f"fold{number}-of-{data.identity['split_sha256'][:8]}",
            resume_if_exists=True,
            compile="off",
            progress=progress,
        )
    )
    outputs = read_outputs(trained.model, data, "test", precision=trained.precision)
    return outputs.log_probabilities, outputs.labels, held[outputs.positions]

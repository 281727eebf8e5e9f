"""``evaluate``: runs, weight files, foreign checkpoints and ensembles of them on images."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from residua import cards
from residua.data import Data, load_data
from residua.errors import UsageError
from residua.evaluation import metrics
from residua.evaluation.outputs import Outputs, Progress, read_outputs
from residua.evaluation.source import (
    NetworkLike,
    Trained,
    data_spec,
    fitted,
    notes_of,
    open_classifier,
)
from residua.evaluation.views import PLAIN, View
from residua.intervals import wilson
from residua.loading import locate
from residua.spec import DataSpec
from residua.train.plan import choose_device

LISTED = 20  # classes in a notebook
_FIGURES = ("top1", "top5", "balanced_accuracy", "nll", "ece")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What one network, or one ensemble, is worth on one split. Shares are in [0, 1]."""

    schema: int = 1
    source: str
    data: str
    split: str
    views: tuple[str, ...]
    precision: str
    n: int  # images
    left_out: int  # images that could not be read
    top1: float
    interval: tuple[float, float]  # 95 %, of top1 (Wilson)
    top5: float  # of fewer than five classes: 1
    balanced_accuracy: float  # the mean of the classes' recalls
    nll: float  # mean negative log-likelihood, in nats
    ece: float  # expected calibration error, 15 bins
    classes: tuple[str, ...]
    per_class: tuple[dict[str, Any], ...]  # {"class", "n", "recall", "precision"}
    confusion: tuple[tuple[int, ...], ...]  # rows: true; columns: given
    notes: tuple[str, ...] = ()
    seconds: float
    # the figures of the images as they are, where those above are of several or other views of them
    plain: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    def _repr_html_(self) -> str:
        low, high = self.interval
        told = f"top-1 {self.top1:.2%} (95 % interval {low:.2%} to {high:.2%}), top-5 {self.top5:.2%}, "
        told += f"NLL {self.nll:.4f}, ECE {self.ece:.4f}"
        if self.plain is not None:
            told = f"top-1 {self.plain['top1']:.2%} as they are; in {len(self.views)} views: {told}"
        worst = sorted((row for row in self.per_class if row["n"]), key=lambda row: row["recall"])[:LISTED]
        shares = (("n", "{}"), ("recall", "{:.1%}"), ("precision", "{:.1%}"))
        rows = [
            (row["class"], *("–" if row[key] is None else form.format(row[key]) for key, form in shares))
            for row in worst
        ]
        title = f"{self.source} on {self.data}: {self.n} {self.split} images"
        head = ("class, lowest recall first", "images", "recall", "precision")
        return cards.card(title, cards.text(told), cards.table(rows, head), *map(cards.text, self.notes))


def evaluate(
    sources: NetworkLike | Sequence[NetworkLike],
    data: str | Path | DataSpec | Data | None = None,
    *,
    split: str = "test",
    views: Sequence[View] = PLAIN,
    ensemble: bool = False,
    batch_size: int = 256,
    device: str = "auto",
    strict: bool = False,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Evaluation | list[Evaluation]:
    """Measure trained networks on images.

    Args:
        sources: run folders (paths, names under ``runs/``, ``"latest"``, or ``RunFolder``), weight files, foreign
            checkpoints, or modules made by ``create_model``; one or several. Networks that are trained for another
            task than classification are for ``measure``.
        data: the images; by default those that a run was trained with. Images are normalised with the network's own
            mean and std where its file has them, else with those of the data.
        split: ``"train"``, ``"val"`` or ``"test"``.
        views: how each image is shown, see ``make_views``; probabilities are averaged. The figures of the images as
            they are stand beside these, as ``plain``.
        ensemble: average the probabilities of all sources and measure the result.
        batch_size: images at a time; no figure depends on it beyond rounding.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        strict: refuse the first unreadable image instead of leaving it out.
        limit: at most this many batches.
        progress: called with the images done and the images in all.

    Returns an ``Evaluation`` for a single source or an ensemble, a list of them for a list or tuple of sources.

    Raises:
        UsageError: for a source, split or device that there is not, for a network that is no classifier, and for data
            whose classes, channels or size are not those of the network.
        ResiduaError: for files that cannot be read and logits that are not finite.

    """
    single = not isinstance(sources, list | tuple)
    wanted: list[NetworkLike] = [sources] if single else list(sources)  # type: ignore[list-item]  # ``single`` told
    if not wanted:
        raise UsageError("there is nothing to evaluate: name a run or a checkpoint")
    for name, value in (("batch_size", batch_size), ("limit", limit)):
        if value is not None and value < 1:
            raise UsageError(f"{name} must be at least 1, not {value}")
    if not views:
        raise UsageError("views must hold at least one view")
    for source in wanted:
        if isinstance(source, str | Path):
            locate(source)  # what is missing is said before any image is read
    session = _Session(
        data=data,
        split=split,
        views=tuple(views),
        strict=strict,
        reading={
            "batch_size": batch_size,
            "device": choose_device(device),
            "limit": limit,
            "progress": progress,
        },
    )
    if ensemble:
        return session.ensemble([open_classifier(source) for source in wanted])
    evaluations = [session.ensemble([open_classifier(source)]) for source in wanted]
    return evaluations[0] if single else evaluations


def over_runs(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Mean top-1 over several evaluations, with the 95 % interval (Student's t) that two or more of them give.

    Of other views than the plain one also the mean without them.
    """
    values = [evaluation.top1 for evaluation in evaluations]
    interval = list(metrics.t_interval(values)) if len(values) > 1 else None
    plain = [evaluation.plain["top1"] for evaluation in evaluations if evaluation.plain]
    return {
        "runs": len(values),
        "top1": float(np.mean(values)),
        "interval": interval,
        **({"plain_top1": float(np.mean(plain))} if plain else {}),
    }


@dataclass(kw_only=True)
class _Session:
    """One call of ``evaluate``; data that several sources share is loaded once."""

    data: str | Path | DataSpec | Data | None
    split: str
    views: tuple[View, ...]
    strict: bool
    reading: dict[str, Any]
    loaded: dict[DataSpec, Data] = field(default_factory=dict)

    def ensemble(self, members: Sequence[Trained]) -> Evaluation:
        """Measure the mean probabilities of some networks; of one, it is the network itself."""
        began = time.perf_counter()
        notes, read = [], []
        for member in members:
            data = self._load(member)
            notes += [f"{member.name}: {note}" for note in self._notes(member, data)]
            shown = fitted(member, data)
            outputs = read_outputs(
                member.model, shown, self.split, views=self.views, precision=member.precision, **self.reading
            )
            read.append((member, data, outputs))
        first, data, outputs = read[0]
        for member, others, answers in read[1:]:
            _check_alike(first, data, outputs, member, others, answers)
        together = metrics.log_mean([answers.log_probabilities for _, _, answers in read])
        figures = metrics.figures(together, outputs.labels, data.classes)
        n = len(outputs.labels)
        beside = [answers.plain for _, _, answers in read if answers.plain is not None]
        plain = None
        if beside:
            found = metrics.figures(metrics.log_mean(beside), outputs.labels, data.classes)
            plain = {"interval": wilson(found["top1"], n), **{name: found[name] for name in _FIGURES}}
        return Evaluation(
            source=" + ".join(member.name for member in members),
            data=str(data.spec.source),
            split=self.split,
            views=tuple(map(str, self.views)),
            precision=" + ".join(dict.fromkeys(member.precision for member in members)),
            n=n,
            left_out=len(data.split(self.split).left_out),
            interval=wilson(figures["top1"], n),
            classes=data.classes,
            per_class=tuple(figures.pop("per_class")),
            confusion=tuple(map(tuple, figures.pop("confusion"))),
            **figures,
            notes=tuple(notes),
            plain=plain,
            seconds=round(time.perf_counter() - began, 3),
        )

    def _load(self, member: Trained) -> Data:
        if isinstance(self.data, Data):
            return self.data
        spec = data_spec(member, self.data, strict=self.strict)
        if spec not in self.loaded:
            self.loaded[spec] = load_data(spec)
        return self.loaded[spec]

    def _notes(self, member: Trained, data: Data) -> list[str]:
        return notes_of(member, data) if self.data is None else list(member.notes)


def _check_alike(
    first: Trained, data: Data, outputs: Outputs, member: Trained, others: Data, answers: Outputs
) -> None:
    """An ensemble votes on the same images, with the same classes."""
    same = (
        data.classes == others.classes
        and data.identity.get("fingerprint") == others.identity.get("fingerprint")
        and np.array_equal(outputs.positions, answers.positions)
        and np.array_equal(outputs.labels, answers.labels)
    )
    if not same:
        raise UsageError(
            f"{first.name} and {member.name} saw different images: name the data for the ensemble"
        )

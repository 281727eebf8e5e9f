"""``residua evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from residua.cli.bar import progress_bar
from residua.cli.say import note, say, say_json
from residua.errors import UsageError

if TYPE_CHECKING:
    from residua.evaluation import Evaluation, Measurement

_FEW = 2  # views that are named
_MANY = 20  # classes from which on the table names only the worst
_WORST = 10


def evaluate(
    sources: list[str],
    /,
    *,
    data: str | None = None,
    split: str = "test",
    flip: Annotated[bool, Parameter(negative="")] = False,
    ten_crop: Annotated[bool, Parameter(negative="")] = False,
    scales: str = "1",
    shift: int = 0,
    ensemble: Annotated[bool, Parameter(negative="")] = False,
    batch_size: Annotated[int | None, Parameter(name=["--batch-size", "-b"])] = None,
    device: str = "auto",
    strict: Annotated[bool, Parameter(negative="")] = False,
    limit_batches: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Measure runs, weight files or peers' checkpoints: residua evaluate RUN|CHECKPOINT... [DATA].

    Classifiers are measured image by image; detectors, segmenters, GANs and language models by the figures of their
    training, and --flip, --ten-crop, --scales, --shift and --ensemble are not for them. With any of the first four, the
    figures of the images as they are stand beside.

    Args:
        sources: runs (folders, names under runs/, latest), weight files and peers' checkpoints. The last may be the
            data: digits, a folder of images, CIFAR-10 or CIFAR-100, or kind:path.
        data: the data; by default the last of the sources if it is none, else what the run was trained on.
        split: train, val or test.
        flip: show each image mirrored too, and average the probabilities.
        ten_crop: show the four corners and the centre, each also mirrored.
        scales: show each image at these multiples of its size, such as 0.9,1,1.1.
        shift: show each image also shifted by so many pixels, up and left, and down and right.
        ensemble: average the probabilities of all sources, and measure the result.
        batch_size: images at a time: 256, or of other tasks what the run was measured with.
        device: auto, cpu, cuda or cuda:N.
        strict: stop at the first bad file instead of leaving it out.
        limit_batches: at most so many batches, for a quick look.
        json: print one JSON object.

    """
    from residua.evaluation import Measurement, make_views, measure, over_runs
    from residua.evaluation import evaluate as evaluate_images
    from residua.evaluation.source import trained_for

    if data is None and len(sources) > 1 and not _is_source(sources[-1]):
        *sources, data = sources
    views = make_views(flip=flip, ten_crop=ten_crop, scales=_numbers(scales), shift=shift)
    tasks = {source: trained_for(source) for source in sources}
    other = next((source for source, task in tasks.items() if task.answers != "classes"), None)
    options: dict[str, Any] = {
        "split": split,
        "device": device,
        "strict": strict,
        "limit": limit_batches,
        **({} if batch_size is None else {"batch_size": batch_size}),
    }
    with progress_bar("evaluating") as progress:
        if other is None:
            found = evaluate_images(
                sources, data, views=views, ensemble=ensemble, progress=progress, **options
            )
            evaluations = found if isinstance(found, list) else [found]
            mean = {"mean": over_runs(evaluations)}
        else:
            if len(views) > 1 or scales != "1" or ensemble:
                raise UsageError(
                    "--flip, --ten-crop, --scales, --shift and --ensemble are for classifiers; "
                    f"{other} is trained for {tasks[other].kind}"
                )
            evaluations, mean = [measure(s, data, progress=progress, **options) for s in sources], {}
    for text in dict.fromkeys(text for one in evaluations for text in one.notes):
        note(text)
    if json:
        tables = [one.to_dict() for one in evaluations]
        say_json(tables[0] if len(tables) == 1 else {"schema": 1, "evaluations": tables, **mean})
        return
    for i, one in enumerate(evaluations):
        say(*[""] * (i > 0), *(_figures(one) if isinstance(one, Measurement) else _text(one)))
    if len(evaluations) > 1 and mean:
        top1, (low, high) = mean["mean"]["top1"], mean["mean"]["interval"]
        say(
            "",
            f"mean of {len(evaluations)}: top-1 {top1:.2%} "
            f"(95 % interval of the mean: {low:.2%} to {high:.2%})",
        )


def _is_source(text: str) -> bool:
    """Whether a word is a run or a checkpoint; if not, it is data."""
    from residua.convert.tensors import SUFFIXES, is_checkpoint
    from residua.loading import locate

    try:
        found = locate(text)
    except UsageError:
        return Path(text).suffix in SUFFIXES  # a missing checkpoint is no data
    return not isinstance(found, Path) or is_checkpoint(found)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--scales must be numbers with commas, such as 0.9,1,1.1, not {text!r}") from error


def _figures(one: Measurement) -> list[str]:
    """The figure that the task is judged by, and the others."""
    names = dict.fromkeys([one.primary, *one.figures])
    figures = {name.replace("_", " "): one.figures.get(name) for name in names}
    told = (f"{name} {'not finite' if value is None else f'{value:.4g}'}" for name, value in figures.items())
    return [f"{one.source} on {one.data}: {one.n} {one.split} {one.samples}", "  ".join(told)]


def _text(one: Evaluation) -> list[str]:
    left_out = f", {one.left_out} unreadable files left out" if one.left_out else ""
    found = one.to_dict()
    lines = [f"{one.source} on {one.data}: {one.n} {one.split} images{left_out}", _line(one.plain or found)]
    if one.plain is not None:
        shown = ", ".join(one.views) if len(one.views) <= _FEW else f"the mean of {len(one.views)} views"
        lines.append(f"shown {shown}: {_line(found)}")
    rows = list(one.per_class)
    if len(rows) > _MANY:
        rows = sorted((row for row in rows if row["n"]), key=lambda row: row["recall"])[:_WORST]
        lines.append(f"the {len(rows)} classes with the lowest recall (--json has all {len(one.per_class)}):")
    width = max(len(str(row["class"])) for row in rows)
    lines += [
        f"  {row['class']:<{width}}  {row['n']:>6} images  recall {_share(row['recall'])}  "
        f"precision {_share(row['precision'])}"
        for row in rows
    ]
    return lines


def _line(figures: Mapping[str, Any]) -> str:
    low, high = figures["interval"]
    return (
        f"top-1 {figures['top1']:.2%} (95 % interval {low:.2%} to {high:.2%})  top-5 {figures['top5']:.2%}  "
        f"balanced {figures['balanced_accuracy']:.2%}  NLL {figures['nll']:.4f}  ECE {figures['ece']:.4f}"
    )


def _share(value: float | None) -> str:
    return "     -" if value is None else f"{value:6.1%}"

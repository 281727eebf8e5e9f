"""Images and seconds to an accuracy.

Each point is one training with a schedule of its own length: a recipe, and a share of the images that the paper's
recipe sees (64,000 steps of 128). Accuracies are those of the last weights (of their mean, where the recipe averages)
on the test images, which are read once, at the end, and shown as they are; seconds are of training with its validation
after every epoch, in one process. A point is a run folder: a killed grid goes on in the middle of it. JPEG copies of
CIFAR-10 lost something in the compression: figures compare with each other and with nothing published.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.front_door import RESULTS, Result
from residua.errors import UsageError
from residua.files import make_folder, write_atomic
from residua.machine import machine_class
from residua.train import fit, recipe

PAPER, PAPERS_IMAGES = "he2015-cifar", 64_000 * 128
# recipe and share of the paper's images; the whole of it takes hours, and is asked for (--cells he2015-cifar:1)
CELLS = ("he2015-cifar:0.1", "he2015-cifar:0.2", "fast:0.025", "fast:0.05", "fast:0.1", "fast:0.2")
# a look: the bundled digits, of which the paper's recipe is given 600 steps
QUICK_CELLS, QUICK_IMAGES = ("he2015-cifar:0.2", "he2015-cifar:1", "fast:0.1", "fast:0.2"), 600 * 128
FIGURE = RESULTS / "time_to_accuracy"


def options(parser: argparse.ArgumentParser) -> None:
    """What it can be told beside the front door's own."""
    parser.add_argument(
        "--images", metavar="PATH", help="CIFAR-10, or its images in train/CLASS and test/CLASS"
    )
    parser.add_argument("--model", default="cifar_resnet20")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--cells", nargs="+", metavar="RECIPE:SHARE", default=[], help=f"default: {' '.join(CELLS)}"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs", "time_to_accuracy"), help="where runs lie")


def measure(asked: argparse.Namespace) -> Result:
    """Train what is missing. Raises UsageError for a cell that there is not."""
    if asked.quick:
        data, model, seeds, full = "digits", "cifar_resnet8", 1, QUICK_IMAGES
    elif asked.images:
        data, model, seeds, full = asked.images, asked.model, asked.seeds, PAPERS_IMAGES
    else:
        raise UsageError("--images PATH says where CIFAR-10 is; --quick takes the bundled digits")
    cells = [_cell(text) for text in asked.cells or (QUICK_CELLS if asked.quick else CELLS)]
    points: list[dict[str, Any]] = []
    for name, share in cells:
        for seed in range(seeds):
            place = asked.runs / ("quick" if asked.quick else model) / f"{name}-{share:g}-{seed}"
            print(f"{name}, {share:g} of the paper's images, seed {seed}", file=sys.stderr)
            points.append(_trained(place, model, data, name, share * full, seed) | {"share": share})
    if not asked.quick:
        make_folder(FIGURE)
        write_atomic(FIGURE / f"{machine_class()}.svg", lambda path: _draw(points, path))
    evidence = {"model": model, "papers_images": full, "points": points}
    if asked.images:  # no path of this machine in evidence
        evidence["command"] = (
            f"python -m benchmarks run accuracy --images PATH --model {model} --seeds {seeds}"
        )
    return Result(ratio=_ratio(points), spread=None, limit_share=None, evidence=evidence)


def table(evidence: Mapping[str, Any]) -> Sequence[str]:
    """A row for each recipe and share: means over the seeds, with their standard deviation."""
    lines = [
        f"{evidence['model']}; the whole of the paper's recipe is "
        f"{evidence['papers_images']:,} images. Ratio: seconds of the paper's recipe in full, by those of the "
        "cheapest point that reaches its accuracy.",
        "",
        "| recipe | of the paper's images | images seen | test accuracy | spread | validation | seconds | seeds |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for (name, share), points in _grouped(evidence["points"]).items():
        tested = [100 * point["test_accuracy"] for point in points]
        spread = f"{statistics.stdev(tested):.2f}" if len(tested) > 1 else ""
        lines.append(
            f"| {name} | {share:g} | {points[0]['images_seen']:,} | {statistics.mean(tested):.2f} % | {spread} "
            f"| {100 * _mean(points, 'val_accuracy'):.2f} % | {_mean(points, 'seconds'):,.0f} | {len(points)} |"
        )
    if (FIGURE / f"{evidence['class']}.svg").exists():
        lines += ["", f"![accuracy against images and seconds](time_to_accuracy/{evidence['class']}.svg)"]
    return lines


def _cell(text: str) -> tuple[str, float]:
    name, _, share = text.rpartition(":")
    try:
        part = float(share)
    except ValueError:
        part = 0.0
    if not 0 < part < math.inf:
        raise UsageError(f"--cells takes RECIPE:SHARE, such as fast:0.1, not {text!r}")
    return recipe(name).name, part


def _trained(place: Path, model: str, data: str, name: str, images: float, seed: int) -> dict[str, Any]:
    """The figures of a training, which is begun, gone on with or only read, as it stands."""
    how = recipe(name)
    steps = max(round(images / how.batch_size), 1)
    run = fit(
        model,
        data,
        how,
        seed=seed,
        run_dir=place,
        resume_if_exists=True,
        track="none",
        recipe_changes={"iterations": steps},
    )
    found = run.result or {}
    kept = ("train_accuracy", "val_accuracy", "test_accuracy", "seconds", "steps", "train_images")
    plan = {key: getattr(run.plan, key) for key in ("precision", "threads", "compile")}
    curve = [[line["step"] * how.batch_size, line["val_accuracy"]] for line in run.metrics("epoch")]
    own = {"recipe": name, "seed": seed, "images_seen": steps * how.batch_size, "plan": plan, "curve": curve}
    return own | {key: found[key] for key in kept}


def _ratio(points: Sequence[Mapping[str, Any]]) -> float | None:
    """How many times less time something took to the accuracy that the paper's recipe ends with, if anything did."""
    grouped = _grouped(points)
    paper = grouped.pop((PAPER, 1.0), None)
    if paper is None:
        return None
    aim = _mean(paper, "test_accuracy")
    reached = [_mean(found, "seconds") for found in grouped.values() if _mean(found, "test_accuracy") >= aim]
    return _mean(paper, "seconds") / min(reached) if reached else None


def _grouped(points: Sequence[Mapping[str, Any]]) -> dict[tuple[str, float], list[Mapping[str, Any]]]:
    found: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
    for point in points:
        found.setdefault((point["recipe"], point["share"]), []).append(point)
    return found


def _mean(points: Sequence[Mapping[str, Any]], key: str) -> float:
    return statistics.mean(point[key] for point in points)


def _draw(points: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Accuracy of the ends of trainings against images seen, and against seconds; a line a recipe."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, key, label in zip(
        figure.subplots(1, 2, sharey=True),
        ("images_seen", "seconds"),
        ("images seen", "seconds"),
        strict=True,
    ):
        for name in dict.fromkeys(point["recipe"] for point in points):
            groups = [found for (own, _), found in _grouped(points).items() if own == name]
            groups.sort(key=lambda found: _mean(found, key))
            across = [_mean(found, key) for found in groups]
            (line,) = axes.plot(
                across, [100 * _mean(found, "test_accuracy") for found in groups], "-", label=name
            )
            ends = [(point[key], 100 * point["test_accuracy"]) for found in groups for point in found]
            axes.plot(*zip(*ends, strict=True), "o", markersize=4, color=line.get_color())
        axes.set_xscale("log")
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("test accuracy, %")
    figure.axes[0].legend(frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None})

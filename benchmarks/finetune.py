"""Fine-tuning against random weights on small folders: ``python -m benchmarks.finetune IMAGES WEIGHTS``.

IMAGES is a folder of CIFAR-10's images in train/CLASS and test/CLASS; WEIGHTS a run or weight file trained on six of
the classes. Both arms learn the other four, which the weights have never seen: the same network, images, number of
steps and seed; one goes on from the weights by the recipe ``finetune``, the other begins with random ones by ``quick``.
Folds share no image, neither to train on nor to test on. A cell is one training, whose result is committed; the grid
goes on from what is stored.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness import RESULTS, where
from residua.evaluation.metrics import t_interval
from residua.files import read_json, write_json, write_text
from residua.loading import load_weights
from residua.machine import describe_machine
from residua.spec import DataSpec
from residua.train import fit
from residua.train.asked import weights_digest
from residua.weights.model_files import Weights

FOLDER = RESULTS / "finetune"
CLASSES = ("frog", "horse", "ship", "truck")
FOLDS = 5
TEST = 200  # images a class in each fold's test part
STEPS = {10: 100, 50: 150, 200: 300}  # by training images a class
BATCH = 32
ARMS: dict[str, Mapping[str, Any]] = {  # the recipe, and its changes
    "finetuned": {"recipe": "finetune", "recipe_changes": {}},
    # the rate goes with the batch (Goyal et al. 2017, sec. 2.1): 0.1 is for batches of 64
    "random": {"recipe": "quick", "recipe_changes": {"lr": 0.05}},
}


@dataclass(frozen=True)
class Cell:
    """One training."""

    arm: str
    size: int  # training images a class
    fold: int

    @property
    def path(self) -> Path:
        """Where its result is stored."""
        return FOLDER / self.arm / str(self.size) / str(self.fold) / "result.json"

    def run(self, images: Path, weights: Weights) -> dict[str, Any]:
        """Its stored result, or that of a new training, which is stored.

        Ends with a line if the stored one is of other weights.
        """
        digest = weights_digest(weights)
        if self.path.exists():
            stored = read_json(self.path)
            if stored["weights"] != digest:
                raise SystemExit(f"{self.path} is of other weights: remove {FOLDER} to begin anew")
            return stored
        with TemporaryDirectory() as place:
            folder = Path(place, "images")
            self._fill(folder, images)
            run = fit(
                weights.spec.change(num_classes=len(CLASSES)),
                DataSpec.of(folder).change(
                    val_fraction=0.0,
                    image_size=weights.data["shape"][-1],
                    mean=weights.data["mean"],  # of both arms
                    std=weights.data["std"],
                ),
                ARMS[self.arm]["recipe"],
                seed=self.fold,
                weights=weights if self.arm == "finetuned" else None,
                run_dir=Path(place, "run"),
                threads=1,
                compile="off",
                progress=False,
                recipe_changes={
                    "iterations": STEPS[self.size],
                    "batch_size": BATCH,
                    **ARMS[self.arm]["recipe_changes"],
                },
            )
            own = {"arm": self.arm, "images_a_class": self.size, "fold": self.fold, "weights": digest}
            figures = {key: value for key, value in (run.result or {}).items() if key != "run_dir"}
            result = {**own, **figures, "images": run.data["fingerprint"], "machine": describe_machine()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.path, result)
        return result

    def _fill(self, folder: Path, images: Path) -> None:
        """A folder with the images of the fold."""
        for part, count in (("train", self.size), ("test", TEST)):
            for name in CLASSES:
                found = sorted((images / part / name).glob("*"))[self.fold * count : (self.fold + 1) * count]
                (folder / part / name).mkdir(parents=True)
                for path in found:
                    shutil.copy(path, folder / part / name)


def cells() -> list[Cell]:
    """The grid; a fold's arms stand side by side."""
    return [Cell(arm, size, fold) for size in STEPS for fold in range(FOLDS) for arm in ARMS]


def check_images(images: Path) -> None:
    """End with a line if there are too few for the folds."""
    for part, count in (("train", max(STEPS)), ("test", TEST)):
        for name in CLASSES:
            if len(list((images / part / name).glob("*"))) < FOLDS * count:
                raise SystemExit(f"{images / part / name} has not {FOLDS * count} images")


def stored() -> dict[Cell, dict[str, Any]]:
    """The committed results."""
    return {cell: read_json(cell.path) for cell in cells() if cell.path.exists()}


def page(results: Mapping[Cell, Mapping[str, Any]]) -> str:
    """The Markdown page of the results; a size that is not complete is left out."""
    first = next(iter(results.values()))
    machines = dict.fromkeys(where(result["machine"]) for result in results.values())
    spent = sum(result["seconds"] for result in results.values()) / 60
    lines = [
        "# Fine-tuning against random weights",
        "",
        "`python -m benchmarks.finetune IMAGES WEIGHTS`: a network that was trained on six classes of CIFAR-10 as JPEG",
        f"learns the other four ({', '.join(CLASSES)}) from few images. Both arms are the same network",
        f"({first['model']}), images, steps (batches of {BATCH}) and seed; one goes on from the weights by the recipe",
        "`finetune` and its defaults, the other begins with random ones by the recipe `quick`. Test images are lossy",
        f"copies, {TEST} a class in each of {FOLDS} folds, which share no image: the figures compare with each other",
        "and with nothing published. Intervals: 95 %, Student's t over the folds; the difference is paired by fold.",
        f"{' · '.join(machines)}, one thread; {spent:.1f} minutes of training in all.",
        "",
        "| images a class | steps | fine-tuned | random | difference, points | folds won | accuracy in training "
        "| seconds |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for size, steps in STEPS.items():
        arms = {arm: [results.get(Cell(arm, size, fold)) for fold in range(FOLDS)] for arm in ARMS}
        if any(result is None for row in arms.values() for result in row):
            continue
        tested = {arm: [100 * row["test_accuracy"] for row in rows if row] for arm, rows in arms.items()}
        gained = [a - b for a, b in zip(*tested.values(), strict=True)]
        low, high = t_interval(gained)
        learned = [
            f"{100 * statistics.mean(row['train_accuracy'] for row in rows if row):.0f} %"
            for rows in arms.values()
        ]
        seconds = [
            f"{statistics.median(row['seconds'] for row in rows if row):.0f}" for rows in arms.values()
        ]
        lines.append(
            f"| {size} | {steps} | {' | '.join(map(_accuracy, tested.values()))} "
            f"| **{statistics.mean(gained):+.1f}** ({low:+.1f} to {high:+.1f}) "
            f"| {sum(gain > 0 for gain in gained)} of {FOLDS} | {' / '.join(learned)} | {' / '.join(seconds)} |"
        )
    return "\n".join(lines) + "\n"


def _accuracy(values: list[float]) -> str:
    low, high = t_interval(values)
    return f"{statistics.mean(values):.1f} % ({low:.1f} to {high:.1f})"


def main() -> None:
    """Run what is missing, and make the page of all that is stored."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path, metavar="IMAGES")
    parser.add_argument("weights", metavar="WEIGHTS")
    asked = parser.parse_args()
    weights = load_weights(asked.weights)
    known = set(weights.data.get("classes", ())) & set(CLASSES)
    if known or not weights.data.get("classes"):
        raise SystemExit(
            f"{asked.weights} knows {', '.join(sorted(known)) or 'no classes'}: nothing may leak"
        )
    check_images(asked.images)
    for cell in cells():
        result = cell.run(asked.images, weights)
        print(
            f"{cell.arm}, {cell.size} images a class, fold {cell.fold}: {result['test_accuracy']:.2%}",
            file=sys.stderr,
        )
        write_text(RESULTS / "finetune.md", page(stored()))


if __name__ == "__main__":
    main()

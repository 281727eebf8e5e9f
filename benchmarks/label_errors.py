"""Labels made wrong on purpose, and how many are found: the bundled digits as files, some in a wrong folder.

Every seed flips other labels, of training and test images alike, to any other class. Training images are asked as
``residua labels`` does (out of fold), test images as a run's inspection does. Of the labels that are suspected,
precision is the share that was flipped; recall is the share of the flipped ones that is suspected.

    python -m benchmarks.label_errors [--flipped 0.05 --seeds 3 --folds 4 --epochs 20]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.harness import RESULTS, where
from residua import fit
from residua.data import Data, load_data
from residua.evaluation.label_errors import suspects
from residua.evaluation.out_of_fold import out_of_fold
from residua.evaluation.outputs import Outputs, read_outputs
from residua.evaluation.source import open_classifier
from residua.files import write_json, write_text
from residua.machine import describe_machine
from residua.spec import DataSpec

MODEL = "cifar_resnet8"


def planted(folder: Path, share: float, seed: int) -> dict[str, str]:
    """Write the digits as files, some of them in the folder of another class; the true class of these, by name."""
    random, wrong = np.random.default_rng(seed), {}
    digits: Any = load_data("digits")
    for part, split in (("train", digits.train), ("test", digits.test)):
        pixels, labels = split.read(np.arange(len(split)))
        flipped = set(random.choice(len(labels), round(share * len(labels)), replace=False).tolist())
        for i, (image, label) in enumerate(zip(pixels, labels.tolist(), strict=True)):
            given = (label + int(random.integers(1, 10))) % 10 if i in flipped else label
            path = folder / part / str(given) / f"{part}{i:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[0].numpy()).save(path)
            if i in flipped:
                wrong[path.name] = str(label)
    return wrong


def found(data: Data, outputs: Outputs, part: str, wrong: dict[str, str]) -> dict[str, float]:
    """How good the suspicions about a part are."""
    paths = data.split(part).paths()
    assert paths is not None
    names = [Path(paths[int(position)]).name for position in outputs.positions]
    there = [name for name in names if name in wrong]
    listed = [(names[one.index], data.classes[one.suggested]) for one in suspects(outputs)]
    hits = [(name, suggested) for name, suggested in listed if name in wrong]
    return {
        "images": len(names),
        "flipped": len(there),
        "suspected": len(listed),
        "precision": len(hits) / len(listed) if listed else 1.0,
        "recall": len(hits) / len(there),
        "precision_of_first": mean(name in wrong for name, _ in listed[: len(there)]),
        "right_suggestion": mean(wrong[name] == suggested for name, suggested in hits),
    }


def one_seed(place: Path, seed: int, given: argparse.Namespace) -> dict[str, dict[str, float]]:
    """The figures of a part each, of one draw of wrong labels."""
    folder = place / f"digits{seed}"
    wrong = planted(folder, given.flipped, seed)
    spec = DataSpec.of(str(folder)).change(image_size=8)
    run = fit(
        MODEL, spec, "digits", seed=seed, run_dir=place / f"run{seed}", progress=False,
        recipe_changes={"epochs": given.epochs},
    )  # fmt: skip
    data, unseen = out_of_fold(run, folds=given.folds, progress=False)
    trained = open_classifier(run)
    test = read_outputs(trained.model, data, "test", precision=trained.precision)
    return {
        "train, out of fold": found(data, unseen, "train", wrong),
        "test": found(data, test, "test", wrong),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--flipped", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the results go")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        seeds = [one_seed(Path(place), seed, given) for seed in range(given.seeds)]
    evidence = {
        "schema": 1,
        "command": " ".join(
            ["python -m benchmarks.label_errors", *(sys.argv[1:] if arguments is None else arguments)]
        ),
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "model": MODEL,
        "flipped": given.flipped,
        "seeds": seeds,
    }
    write_json(given.out / "label_errors.json", evidence)
    write_text(given.out / "label_errors.md", table(evidence))
    print(table(evidence))


def table(evidence: Mapping[str, Any]) -> str:
    """The Markdown page of a stored benchmark: means over the seeds, with the lowest and the highest."""
    seeds = evidence["seeds"]
    keys = list(next(iter(seeds[0].values())))
    lines = [
        "# Wrong labels that are found",
        "",
        f"`{evidence['command']}`, {evidence['date']}, {where(evidence['machine'])}.",
        "",
        f"The digits as files, {evidence['model']}; {evidence['flipped']:.0%} of labels flipped to any other class. "
        f"Means over {len(seeds)} seeds (lowest to highest).",
        "",
        f"| part | {' | '.join(key.replace('_', ' ') for key in keys)} |",
        f"|---|{'---:|' * len(keys)}",
    ]
    for part in seeds[0]:
        cells = [_cell([seed[part][key] for seed in seeds]) for key in keys]
        lines.append(f"| {part} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _cell(values: list[float]) -> str:
    if all(float(value).is_integer() and value > 1 for value in values):
        return f"{mean(values):.0f}"
    return f"{mean(values):.1%} ({min(values):.1%} to {max(values):.1%})"


if __name__ == "__main__":
    main()

"""One network of every family, trained on real data: ``python -m benchmarks.models`` fills ``docs/models.md``.

Each row is one ``residua train --model NAME`` with its family's own data and recipe, whose result is committed; the
grid goes on from what is stored. A run that fails is named, and the others go on.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from benchmarks.accuracy import Grid, run
from benchmarks.harness import RESULTS, where
from residua.files import read_json, write_text
from residua.machine import instruction_set
from residua.published import published
from residua.registry import families

FOLDER = RESULTS / "models"
PAGE = RESULTS.parent.parent / "docs" / "models.md"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A published figure: the table, the row (of a data set, if the table has several) and its key, in words."""

    table: str
    model: str
    key: str
    words: str
    dataset: str = ""

    def __str__(self) -> str:
        table = published().table(self.table)
        row = next(
            row
            for row in table.rows
            if row.model == self.model and self.key in row.values and self.dataset in ("", row.dataset)
        )
        how = f"; {row.protocol}" if row.protocol else ""
        unconfirmed = "" if row.status == "verified" else " [unconfirmed]"
        return f"{self.words.format(row.values[self.key])}: {self.model} ({table}{how}){unconfirmed}"


@dataclass(frozen=True)
class Row:
    """A network that stands for its family, and what is published of the family."""

    family: str
    model: str
    published: Figure | None = None

    @property
    def grid(self) -> Grid:
        """The one run of the row."""
        return Grid(self.model, self.family, ("--model", self.model), (0,))


def _cifar(table: str, model: str, key: str = "c10") -> Figure:
    return Figure(table=table, model=model, key=key, words="{} % error on CIFAR-10")


ROWS = (
    Row("resnet", "cifar_resnet8", _cifar("he2015.t6", "ResNet-20", "err")),
    Row("resnext", "resnext_tiny", _cifar("resnext.t7", "ResNeXt-29, 8x64d")),
    Row("wide_resnet", "wrn_10_1", _cifar("wrn.t4", "WRN-28-10")),
    Row("densenet", "densenet_tiny", _cifar("densenet.t2", "DenseNet-BC (L=100, k=12)", "c10_plus")),
    Row(
        "resnest",
        "resnest_tiny",
        Figure(
            table="resnest.repo", model="ResNeSt-50", key="top1_acc", words="{} % top-1 accuracy on ImageNet"
        ),
    ),
    Row("seresnet", "cifar_seresnet8"),
    Row("convnext", "convnext_digits"),
    Row("revnet", "cifar_revnet10"),
    Row(
        "vgg",
        "vgg_tiny",
        Figure(table="he2015.t3", model="VGG-16", key="top1_err", words="{} % top-1 error on ImageNet"),
    ),
    Row(
        "googlenet",
        "googlenet_tiny",
        Figure(table="he2015.t3", model="GoogLeNet", key="top5_err", words="{} % top-5 error on ImageNet"),
    ),
    Row(
        "vit",
        "vit_digits",
        Figure(
            table="vit.repo",
            model="ViT-B_16",
            key="top1_acc",
            words="{} % accuracy on CIFAR-10 after ImageNet-21k",
            dataset="cifar10",
        ),
    ),
    Row("transformer", "transformer_small"),
    Row(
        "resnet3d",
        "r3d_tiny",
        Figure(
            table="hara.avg",
            model="ResNet-18",
            key="avg_acc",
            words="{} % accuracy on Kinetics-400, mean of top-1 and top-5",
        ),
    ),
    Row(
        "ode",
        "ode_digits",
        Figure(table="node.t1", model="ODE-Net", key="err", words="{} % error on MNIST"),
    ),
    Row(
        "sngan",
        "sngan_digits",
        Figure(
            table="sngan.t2",
            model="ResNet, SN-GAN, Eq. 17",
            key="cifar10_fid",
            words="Frechet distance {} on CIFAR-10, on Inception's features",
        ),
    ),
    Row("residual_mlp", "residual_mlp"),
    Row("detector", "detector_tiny"),
    Row("segmenter", "segmenter_tiny"),
)


def measured(result: dict[str, Any]) -> str:
    """The primary metric of a run on its test part, by name."""
    name = result["primary"]
    value = result[f"test_{name}"]
    shown = (
        "not finite" if value is None else f"{100 * value:.2f} %" if name == "accuracy" else f"{value:.4g}"
    )
    return f"{name.replace('_', ' ')} {shown}"


def page(results: dict[str, dict[str, Any]]) -> str:
    """The Markdown page of the results, by name of the model; rows without one are left out."""
    machines = dict.fromkeys(where(result["machine"]) for result in results.values())
    lines = [
        "# One network of every family, trained",
        "",
        "Made by `python -m benchmarks.models`. Each row is one command with every default: the family's own data and",
        "recipe, seed 0; the test part is read once, at the end. Evidence:",
        "[benchmarks/results/models](../benchmarks/results/models).",
        f"Machines: {' · '.join(machines)}.",
        "",
        "The last column is what is published of the family: **another network, on other data, by another protocol. It",
        "cannot be compared with the measured figure**; it says what the family is known for. A dash: nothing of the",
        "kind stands in `published.toml`. `residua models` lists every network, `residua describe NAME` shows one.",
        "",
        "| family | command | data | measured | parameters | seconds | on | published of the family |",
        "|---|---|---|---|---:|---:|---|---|",
    ]
    for row in ROWS:
        result = results.get(row.model)
        if result is not None:
            lines.append(
                f"| {row.family} | `{result['command']}` | {result['data']} | {measured(result)} "
                f"| {result['parameters']:,} | {result['seconds']:.1f} "
                f"| {instruction_set(result['machine']['instructions'])} | {row.published or '-'} |"
            )
    return "\n".join(lines) + "\n"


def stored() -> dict[str, dict[str, Any]]:
    """The committed results, by name of the model."""
    paths = {row.model: FOLDER / row.model / "0" / "result.json" for row in ROWS}
    return {model: read_json(path) for model, path in paths.items() if path.exists()}


def main() -> None:
    """Run what is missing, make the page of all that is stored, and end with 1 if a training failed."""
    known, failed = families(), []
    for row in ROWS:
        if row.family not in known:
            continue
        try:
            run(row.grid, 0, "", FOLDER)
        except subprocess.CalledProcessError as error:
            failed.append(row.model)
            print(f"{row.model}: residua train ended with {error.returncode}; going on", file=sys.stderr)
        if results := stored():
            write_text(PAGE, page(results))
    if failed:
        sys.exit(f"without a result: {', '.join(failed)}")


if __name__ == "__main__":
    main()

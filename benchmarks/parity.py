"""Whether every network of images survives export: its artifacts against itself, in float32, format by format.

A member of each family (its smallest, and the usual ones with ``--large``) with fixed random weights, on seeded noise.
A network or format that fails stays in the table, with the line that the user would get. Formats whose libraries are
not installed are left out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, where
from residua.deploy.export import export
from residua.errors import ResiduaError
from residua.files import write_json, write_text
from residua.machine import describe_machine
from residua.parts import parts
from residua.registry import families, model_spec
from residua.testing.example import network
from residua.weights.model_files import save_model

LARGE = (
    *(
        "resnet18",
        "resnet50",
        "resnext50_32x4d",
        "wide_resnet50_2",
        "seresnet50",
        "densenet121",
        "convnext_tiny",
    ),
    *(
        "resnest50",
        "googlenet",
        "vgg16_bn",
        "vit_s_16",
        "r3d_18",
        "cifar_wrn16_4",
        "cifar_revnet38",
        "fcn_resnet50",
    ),
)


def main() -> None:
    """Export each network in each format and store the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", help="names; by default the smallest of each family")
    parser.add_argument("--large", action="store_true", help="the usual members too")
    arguments = parser.parse_args()
    tiny = [family.tiny for family in families().values() if family.tiny]
    names = arguments.models or [*tiny, *(LARGE if arguments.large else ())]
    began = time.perf_counter()
    rows = [row for name in names for row in measure(name)]
    evidence: dict[str, Any] = {
        "schema": 1,
        "command": "python -m benchmarks.parity" + " --large" * arguments.large,
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "seconds": round(time.perf_counter() - began),
        "rows": rows,
    }
    write_json(RESULTS / "parity.json", evidence)
    write_text(RESULTS / "parity.md", table(evidence))


def measure(name: str) -> list[dict[str, Any]]:
    """A row for each format."""
    spec = model_spec(name)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.safetensors"
        shape, channels = spec.usual_input, spec.in_channels
        about = (
            {"shape": shape, "mean": (0.5,) * channels, "std": (0.25,) * channels} if len(shape) > 2 else {}
        )
        save_model(path, network(spec), about)
        for format in sorted(parts("format")):
            began = time.perf_counter()
            row: dict[str, Any] = {"model": name, "family": spec.family, "format": format}
            try:
                artifact = export(path, format=format, out=Path(folder) / format)
            except ResiduaError as error:
                row["refused"] = str(error).replace(f"{folder}/", "").removeprefix(f"{name}.safetensors ")
            else:
                row |= {
                    "relative_error": artifact.parity.relative_error,
                    "batch_sizes": artifact.parity.batch_sizes,
                    "dynamic_size": artifact.dynamic_size,
                    "cam": "cam" in artifact.outputs,
                    "folding_error": artifact.parity.folding_error,
                }
            row["seconds"] = round(time.perf_counter() - began, 1)
            print(row, flush=True)
            rows.append(row)
    return rows


def table(evidence: dict[str, Any]) -> str:
    """The Markdown page."""
    lines = [
        "# Parity of exported networks",
        "",
        f"`{evidence['command']}`, {evidence['date']}, {where(evidence['machine'])}.",
        "",
        "Each network with fixed random weights, exported in float32 and compared with itself on 64 images of seeded "
        "noise, in batches of 1, 2, 3, 5 and more and, where it takes any size, at another size. *Error* is the "
        "largest difference of an output, as a share of the largest output.",
        "",
        "| network | format | error | any batch | any size | class map | folding, float64 |",
        "|---|---|---:|---|---|---|---:|",
    ]
    for row in evidence["rows"]:
        if "refused" in row:
            lines.append(f"| {row['model']} | {row['format']} | refused: {row['refused']} | | | | |")
            continue
        batch = "yes" if {1, 2, 3, 5} <= set(row["batch_sizes"]) else "no"
        size, cam = ("yes" if row[key] else "no" for key in ("dynamic_size", "cam"))
        lines.append(
            f"| {row['model']} | {row['format']} | {row['relative_error']:.1g} | {batch} | {size} | {cam} "
            f"| {row['folding_error']:.1g} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

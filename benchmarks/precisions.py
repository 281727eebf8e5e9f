"""What int8 and bfloat16 cost in accuracy: ``python -m benchmarks.precisions RUN... --data IMAGES``.

Each run's network as it was trained beside itself in bfloat16 (torch, also where a processor only emulates it: slower,
but equally right) and in int8 in every format that has it, with all layers quantised and calibrated on validation
images: no layer is left in float32, as ``residua export`` would where int8 loses too much. All answer the same test
images, so the interval of the difference is that of pairs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, where
from residua.deploy.evidence import gather
from residua.deploy.export import Exporting, asked_format, deployable, program_of
from residua.deploy.parity import logits_of
from residua.deploy.runtime import EagerRuntime, Format, Runtime
from residua.deploy.torch_runtime import TorchRuntime
from residua.errors import ResiduaError, UsageError
from residua.evaluation.metrics import paired_interval
from residua.evaluation.source import open_source
from residua.files import read_json, write_json, write_text
from residua.loading import load_weights
from residua.machine import describe_machine
from residua.parts import parts
from residua.train.asked import weights_digest

FOLDER = RESULTS / "precisions"
COMMAND = "python -m benchmarks.precisions RUN... --data IMAGES"
BOUND = 0.3  # points


def main() -> None:
    """Measure each run and store the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--data", required=True, help="the images that the runs were trained on")
    arguments = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    for run in arguments.runs:
        found = measure(run, arguments.data)
        evidence = {
            "schema": 1,
            "command": COMMAND,
            "date": time.strftime("%Y-%m-%d"),
            "machine": describe_machine(),
            **found,
        }
        write_json(FOLDER / f"{found['network']}.json", evidence)
        write_text(
            RESULTS / "precisions.md", table([read_json(path) for path in sorted(FOLDER.glob("*.json"))])
        )


def measure(run: str, data: str) -> dict[str, Any]:
    """The accuracy of a run's network in each precision, on all test images."""
    trained = open_source(run)
    evidence = gather(trained, data, every=True)
    test, module = evidence.test, deployable(trained)
    exporting = {
        kind: Exporting(
            trained=trained,
            format=asked_format(kind, "fp32"),
            program=program_of(trained, module, test),
            evidence=evidence,
            provenance={},
        )
        for kind, format in sorted(parts("format").items())
        if "int8" in format.precisions and installed(format)
    }
    before = logits_of(EagerRuntime(module, tuple(module.outputs)), test.pixels).argmax(1) == test.labels
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, runtime in runtimes(trained, exporting, Path(folder)):
            after = logits_of(runtime, test.pixels).argmax(1) == test.labels
            row = {
                "name": name,
                "accuracy": float(after.mean()),
                "difference": float(after.mean() - before.mean()),
                "interval": paired_interval(before, after),
            }
            print(row, flush=True)
            rows.append(row)
    return {
        "network": trained.name,
        "weights": weights_digest(load_weights(run)),
        "test_images": len(test),
        "calibrated_on": evidence.tuning.of,
        "float32": float(before.mean()),
        "rows": rows,
    }


def installed(format: type[Format]) -> bool:
    """Whether a format can be written here."""
    try:
        asked_format(format.kind, "fp32")
    except (ResiduaError, UsageError) as error:
        print(f"left out: {error}")
        return False
    return True


def runtimes(trained: Any, exporting: Mapping[str, Exporting], folder: Path) -> Iterator[tuple[str, Runtime]]:
    """The network in bfloat16, and in int8 in each format."""
    images = trained.images
    yield "bfloat16, torch", TorchRuntime(trained.model, images.mean, images.std, precision="bfloat16")
    for kind, one in exporting.items():
        place = folder / kind
        place.mkdir()
        yield f"int8, {kind}", one.format.open(one.unmeasured(place, "int8"), None)


def table(networks: Sequence[Mapping[str, Any]]) -> str:
    """The Markdown page."""
    lines = [
        "# Accuracy in smaller numbers",
        "",
        f"`{COMMAND}`, {where(networks[-1]['machine'])}.",
        "",
        "Every convolution and fully connected layer in int8, calibrated on 300 validation images; bfloat16 by torch's "
        "autocast. The difference to float32 in points of top-1 on the same test images, with its paired 95 % "
        f"interval; the bound is {BOUND} points.",
        "",
        "| network | precision | test images | float32 | accuracy | difference | within the bound |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for network in networks:
        for row in network["rows"]:
            low, high = (100 * value for value in row["interval"])
            points = 100 * row["difference"]
            lines.append(
                f"| {network['network']} | {row['name']} | {network['test_images']:,} | {network['float32']:.2%} "
                f"| {row['accuracy']:.2%} | {points:+.2f} ({low:+.2f} to {high:+.2f}) "
                f"| {'yes' if points >= -BOUND else '**no**'} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

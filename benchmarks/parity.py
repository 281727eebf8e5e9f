"""Whether every network of images survives export: its artifacts against itself, in float32, format by format.

    python -m benchmarks.parity [MODEL...]

Every network of the registry with fixed random weights, on seeded noise. What each gave is stored as soon as it is
there, and the command goes on from what is stored. A network or format that fails stays in the table, with the line
that the user would get.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, where
from residua.deploy.artifact import Parity
from residua.deploy.evidence import noise
from residua.deploy.export import Exporting, asked_format, deployable, program_of
from residua.errors import ResiduaError, UsageError
from residua.evaluation.source import InputFacts, Trained
from residua.files import read_json, write_json, write_text
from residua.machine import describe_machine
from residua.parts import parts
from residua.registry import list_models, model_spec
from residua.testing.example import network

FOLDER = RESULTS / "parity"
IMAGES = 16  # batches of 1, 2, 3 and 5, and the rest
COMMAND = "python -m benchmarks.parity"


def main() -> None:
    """Export each network that has no result yet, and make the table of all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", help="names; by default all that have no result yet")
    names = parser.parse_args().models or [name for name in list_models() if not stored(name).exists()]
    FOLDER.mkdir(exist_ok=True)
    for number, name in enumerate(names, 1):
        began = time.perf_counter()
        rows = measure(name)
        seconds = round(time.perf_counter() - began, 1)
        write_json(
            stored(name),
            {
                "schema": 1,
                "command": f"{COMMAND} {name}",
                "date": time.strftime("%Y-%m-%d"),
                "machine": describe_machine(),
                "model": name,
                "seconds": seconds,
                "formats": rows,
            },
        )
        print(f"{number} of {len(names)}: {name}, {seconds:.0f} s", flush=True)
        write_text(RESULTS / "parity.md", table())


def stored(name: str) -> Path:
    """Where the result of a network lies."""
    return FOLDER / f"{name}.json"


def measure(name: str) -> dict[str, dict[str, Any]]:
    """What each format gave, or the line that refuses it."""
    spec = model_spec(name)
    shape = tuple(spec.usual_input)
    facts = InputFacts()
    if len(shape) > 2:
        facts = InputFacts(shape=shape, mean=(0.5,) * shape[0], std=(0.25,) * shape[0])
    trained = Trained(name=name, model=network(spec), spec=spec, images=facts)
    try:
        module = deployable(trained)
        evidence = noise(trained, "random weights")
        test = evidence.test.first(IMAGES)
        program = program_of(trained, module, test)
    except (UsageError, ResiduaError) as error:
        return {kind: {"refused": str(error)} for kind in sorted(parts("format"))}
    found = {}
    for kind in sorted(parts("format")):
        exporting = Exporting(
            trained=trained,
            format=asked_format(kind, "fp32"),
            program=program,
            evidence=type(evidence)(tuning=test, test=test),
            provenance={},
        )
        with tempfile.TemporaryDirectory() as folder:
            try:
                artifact = exporting.plain(Path(folder), "fp32")
            except ResiduaError as error:
                found[kind] = {"refused": str(error).replace(f"{folder}/", "")}
            else:
                found[kind] = {
                    **figures(artifact.parity),
                    "dynamic_size": artifact.dynamic_size,
                    "cam": "cam" in artifact.outputs,
                }
    return found


def figures(parity: Parity) -> dict[str, Any]:
    """What the table shows of a comparison."""
    return {
        "relative_error": parity.relative_error,
        "batch_sizes": parity.batch_sizes,
        "folding_error": parity.folding_error,
    }


def table() -> str:
    """The Markdown page of everything that is stored."""
    results = [read_json(path) for path in sorted(FOLDER.glob("*.json"))]
    rows = [(one["model"], kind, row) for one in results for kind, row in one["formats"].items()]
    missing = [name for name in list_models() if not stored(name).exists()]
    exported = [row for _, _, row in rows if "refused" not in row]
    refused: dict[str, list[str]] = {}
    for model, _, row in rows:
        if "refused" in row:
            refused.setdefault(row["refused"].removeprefix(f"{model} "), []).append(model)
    lines = [
        "# Parity of exported networks",
        "",
        f"`{COMMAND}`, {where(results[-1]['machine'])}.",
        "",
        f"Each network with fixed random weights, exported in float32 and compared with itself on {IMAGES} images of "
        "seeded noise, in batches of 1, 2, 3, 5 and more and, where it takes any size, at another size. *Error* is "
        "the largest difference of an output, as a share of the largest output.",
        "",
        f"{len(list_models()) - len(missing)} of the {len(list_models())} networks of the registry: {len(exported)} "
        f"artifacts, of which the largest error is {max(row['relative_error'] for row in exported):.1g}."
        + (f" Not run yet: {', '.join(missing)}." if missing else ""),
        "",
        "| network | format | error | any batch | any size | class map | folding, float64 |",
        "|---|---|---:|---|---|---|---:|",
    ]
    for model, kind, row in rows:
        if "refused" not in row:
            batch = "yes" if {1, 2, 3, 5} <= set(row["batch_sizes"]) else "no"
            size, cam = ("yes" if row[key] else "no" for key in ("dynamic_size", "cam"))
            lines.append(
                f"| {model} | {kind} | {row['relative_error']:.1g} | {batch} | {size} | {cam} "
                f"| {row['folding_error']:.1g} |"
            )
    lines += ["", "## Refused", "", "| why | networks |", "|---|---|"]
    lines += [f"| {why} | {', '.join(dict.fromkeys(models))} |" for why, models in refused.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

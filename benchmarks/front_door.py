"""The front door's table of benchmarks, what each of them is asked for, and how a result is stored and shown.

Imports no torch: ``python -m benchmarks list`` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from residua.errors import ResiduaError, UsageError, nearest
from residua.files import make_folder, write_json, write_text
from residua.machine import describe_machine, machine_class

SCHEMA = 1
EMULATED = "bfloat16: this processor has no instructions for it, and torch only emulates it."
RESULTS = Path(__file__).parent / "results"

# name: the module of this package that measures it, and the question that it answers
BENCHMARKS = {
    "step": ("step", "training steps of ResNets beside torchvision, timm and plain PyTorch"),
    "epoch": ("epoch", "a whole epoch with its data beside the conventional loop"),
    "accuracy": ("time_to_accuracy", "images and seconds to the accuracy of the paper's recipe"),
    "input": (
        "input_pipeline",
        "images a second out of JPEG files beside torchvision's and timm's pipelines",
    ),
    "depth": ("depth", "memory and time of a step from 20 to 1202 layers, with and without --memory low"),
    "start": ("start", "seconds from the command to the first step, cold and with the compile cache"),
    "processes": ("processes", "two processes against one"),
    "many": ("many_runs", "many small trainings on one machine: one after another, side by side, stacked"),
    "augment": ("augment", "what each augmentation adds to a training step"),
}


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a benchmark found on this machine; None where there was nothing to compare or no limit to share.

    Args:
        ratio: residua's speed over the usual way's, the median; above 1 residua is faster.
        spread: the 10th and the 90th percentile of the ratio over the rounds (the least and the most of few).
        limit_share: the part of what the hardware allows that residua reaches, in [0, 1].
        evidence: everything measured, as JSON values: what the page is made from.
        skipped: what this machine cannot do, or cannot do fast; a sentence each.

    """

    ratio: float | None
    spread: tuple[float, float] | None
    limit_share: float | None
    evidence: Mapping[str, Any]
    skipped: Sequence[str] = field(default=())


class Measured(Protocol):
    """What a module of a benchmark has. Its docstring begins with the title of its page and says how it measures."""

    __doc__: str | None

    def options(self, parser: argparse.ArgumentParser) -> None:
        """Add what it can be told beside ``--quick`` and ``--json``; every option has a default that runs anywhere."""
        ...

    def measure(self, asked: argparse.Namespace) -> Result:
        """Measure; with ``asked.quick`` in about a minute, on little. Progress goes to stderr."""
        ...

    def table(self, evidence: Mapping[str, Any]) -> Sequence[str]:
        """The Markdown lines of one machine's evidence."""
        ...


def module_of(name: str) -> Any:
    """The module of a benchmark (``Measured``). Raises UsageError for an unknown name."""
    if name not in BENCHMARKS:
        raise UsageError(f"no benchmark {name!r}{nearest(name, [*BENCHMARKS])}; python -m benchmarks list")
    return importlib.import_module(f"benchmarks.{BENCHMARKS[name][0]}")


def run(name: str, tokens: Sequence[str]) -> tuple[dict[str, Any], argparse.Namespace]:
    """Measure a benchmark with the options in ``tokens``: its evidence, with where and how it was measured."""
    module: Measured = module_of(name)
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks run {name}", description=title(module))
    parser.add_argument("--quick", action="store_true", help="a look in about a minute; nothing is stored")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    module.options(parser)
    asked = parser.parse_args(tokens)
    began = time.monotonic()
    found = module.measure(asked)
    told = [token for token in tokens if token != "--json"]
    return {
        "schema": SCHEMA,
        "benchmark": name,
        "ratio": found.ratio,
        "spread": found.spread and list(found.spread),
        "limit_share": found.limit_share,
        "quick": asked.quick,
        "command": " ".join(["python -m benchmarks run", name, *told]),
        "date": time.strftime("%Y-%m-%d"),
        "seconds": round(time.monotonic() - began, 1),
        "class": machine_class(),
        "machine": describe_machine(),
        "skipped": list(found.skipped),
        **found.evidence,
    }, asked


def store(evidence: Mapping[str, Any]) -> None:
    """Keep the evidence beside that of other classes of machines, and make the page of them all anew."""
    name = evidence["benchmark"]
    folder = RESULTS / BENCHMARKS[name][0]
    make_folder(folder)
    write_json(folder / f"{evidence['class']}.json", evidence)
    write_text(folder.with_suffix(".md"), page(name, stored(name)))


def stored(name: str) -> list[dict[str, Any]]:
    """The evidence of every class of machines that has been measured."""
    paths = sorted((RESULTS / BENCHMARKS[name][0]).glob("*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def page(name: str, measured: Sequence[Mapping[str, Any]]) -> str:
    """The Markdown page of a benchmark: the machines side by side, then each by itself."""
    module: Measured = module_of(name)
    said = (module.__doc__ or "").strip().split("\n", maxsplit=1)
    lines = [f"# {title(module)}", "", *said[1:], "", *side_by_side(measured)]
    for evidence in measured:
        lines += ["", f"## {evidence['class']}", "", *about(evidence), "", *module.table(evidence)]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def title(module: Measured) -> str:
    """The first line of its docstring."""
    return (module.__doc__ or "").strip().split("\n")[0].rstrip(".")


def side_by_side(measured: Sequence[Mapping[str, Any]]) -> list[str]:
    """A row a class of machines."""
    lines = ["| machine | ratio | 10-90 % | share of the limit |", "|---|---:|---:|---:|"]
    for evidence in measured:
        ratio, share = evidence["ratio"], evidence["limit_share"]
        spread = evidence["spread"] and "-".join(f"{value:.2f}" for value in evidence["spread"])
        cells = [f"{ratio:.2f}" if ratio else "", spread or "", f"{share:.0%}" if share else ""]
        lines.append(f"| {evidence['class']} | {' | '.join(cells)} |")
    return lines


def about(evidence: Mapping[str, Any]) -> list[str]:
    """Where and how it was measured, and what was left out."""
    machine, known = evidence["machine"], evidence["machine"]["versions"]
    versions = ", ".join(f"{name} {known[name]}" for name in ("torch", "residua") if name in known)
    place = ", ".join([gpu["name"] for gpu in machine["gpus"]] or [machine["cpu"]])
    where = f"{place}, {machine['usable_cores']} cores; {versions}"
    left_out = [f"Left out: {sentence}" for sentence in evidence["skipped"]]
    return [f"`{evidence['command']}`, {evidence['date']}, {where}.", *left_out]


def main(arguments: Sequence[str] | None = None) -> int:
    """``list``, or ``run NAME [--quick] [--json] ...``; the exit code."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    json_wanted = "--json" in tokens
    try:
        if tokens in (["list"], ["list", "--json"]):
            questions = {name: question for name, (_, question) in BENCHMARKS.items()}
            listed = [f"{name:<12}{question}" for name, question in questions.items()]
            if json_wanted:
                listed = [json.dumps({"schema": SCHEMA, "benchmarks": questions})]
            print("\n".join(listed))
            return 0
        if tokens[:1] != ["run"] or not tokens[1:] or tokens[1].startswith("-"):
            raise UsageError("python -m benchmarks list, or python -m benchmarks run NAME [--quick] [--json]")
        evidence, asked = run(tokens[1], tokens[2:])
        if not asked.quick:
            store(evidence)
        print(json.dumps(evidence) if asked.json else page(tokens[1], [evidence]))
        return 0
    except ResiduaError as error:
        if json_wanted:
            print(json.dumps({"schema": SCHEMA, "error": str(error)}))
        print(f"benchmarks: {error}", file=sys.stderr)
        return error.exit_code

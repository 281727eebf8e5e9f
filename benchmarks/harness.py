"""One way to run, store and print a benchmark: candidates in turns, evidence as JSON, a table made from it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.files import write_json, write_text
from residua.machine import describe_machine, instruction_set, machine
from residua.timing import Comparison, compare, peak_flops

RESULTS = Path(__file__).parent / "results"
NO_BF16 = "bfloat16 is left out: this processor has no instructions for it, and torch only emulates it."


@dataclass(frozen=True, kw_only=True)
class Case:
    """A question: candidates that do the same work, on ``items`` images a call with ``flops`` operations an image."""

    name: str
    items: int
    flops: float
    candidates: Mapping[str, Callable[[], object]]
    baseline: str


def measure(case: Case, *, rounds: int, min_seconds: float, peaks: Mapping[str, float]) -> dict[str, Any]:
    """Time a case; ``peaks`` are measured operations per second of each precision, to state the share reached."""
    comparison: Comparison = compare(
        case.candidates, rounds=rounds, warmup=3, min_seconds=min_seconds, baseline=case.baseline
    )
    evidence = comparison.to_dict()
    for name, candidate in evidence["candidates"].items():
        rate = case.items / candidate["median_seconds"]
        candidate["images_per_second"] = rate
        peak = peaks["bfloat16" if "bf16" in name else "float32"]
        candidate["share_of_peak"] = rate * case.flops / peak
    return {"case": case.name, "items": case.items, "flops_per_item": case.flops, **evidence}


def store(name: str, title: str, cases: list[dict[str, Any]], peaks: Mapping[str, float], notes: str) -> None:
    """Write ``results/<name>.json`` and the table ``results/<name>.md`` made from it."""
    evidence = {
        "schema": 1,
        "title": title,
        "command": f"python -m benchmarks.{Path(sys.argv[0]).stem} {' '.join(sys.argv[1:])}".strip(),
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "peaks": dict(peaks),
        "notes": notes,
        "cases": cases,
    }
    RESULTS.mkdir(exist_ok=True)
    write_json(RESULTS / f"{name}.json", evidence)
    write_text(RESULTS / f"{name}.md", table(evidence))


def table(evidence: Mapping[str, Any]) -> str:
    """The Markdown page of a stored benchmark."""
    peaks = evidence["peaks"]
    shown = ", ".join(f"{name} {peak / 1e9:,.0f} GFLOP/s" for name, peak in peaks.items())
    lines = [
        f"# {evidence['title']}",
        "",
        f"`{evidence['command']}`, {evidence['date']}, {where(evidence['machine'])}.",
        f"Peak of a matrix product, measured in the same run: {shown}."
        + ("" if "bfloat16" in peaks else f" {NO_BF16}"),
        "",
        evidence["notes"],
    ]
    for case in evidence["cases"]:
        lines += [
            "",
            f"## {case['case']}",
            "",
            f"{case['rounds']} rounds in turns; ratio to *{case['baseline']}*, median (10-90 % of the rounds); "
            "the share of peak counts convolutions and the fully connected layer.",
            "",
            "| candidate | images/s | ratio | share of peak |",
            "|---|---:|---:|---:|",
        ]
        for name, row in case["candidates"].items():
            low, high = row["speedup_10_90"]
            lines.append(
                f"| {name} | {row['images_per_second']:,.1f} | {row['speedup']:.2f} ({low:.2f}-{high:.2f}) "
                f"| {row['share_of_peak']:.0%} |"
            )
    return "\n".join(lines) + "\n"


def measure_peaks() -> dict[str, float]:
    """Operations per second of a matrix product in each precision that the processor has instructions for."""
    fast = {"float32": True, "bfloat16": machine().has_fast_bf16}
    return {dtype: peak_flops(dtype) for dtype, has in fast.items() if has}


def where(machine: Mapping[str, Any]) -> str:
    """The machine as a table names it: processor, instruction set, cores, versions."""
    named = ", ".join(f"{name} {version}" for name, version in versions(machine).items())
    kind = instruction_set(machine["instructions"])
    return f"{machine['cpu']} ({kind}), {machine['usable_cores']} cores; {named}"


def versions(machine: Mapping[str, Any]) -> dict[str, str]:
    """The versions that a table names."""
    known = machine["versions"]
    return {name: known[name] for name in ("torch", "residua", "torchvision", "timm") if name in known}


def rerender() -> None:
    """Make every table of cases anew from its stored evidence."""
    for path in sorted(RESULTS.glob("*.json")):
        evidence = json.loads(path.read_text(encoding="utf-8"))
        if "cases" in evidence:
            write_text(path.with_suffix(".md"), table(evidence))


if __name__ == "__main__":
    rerender()

"""The training step of ResNet-110 with stochastic depth (p_L = 0.5, linear, per batch) beside the same without.

Huang et al. 2016, sec. 4, print about 25 % less training time (Table 2: 15h07m instead of 20h42m on CIFAR-10).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import mean

import torch

from benchmarks.harness import Case, measure, measure_peaks, store
from benchmarks.train_step import residua_step
from residua.analysis.cost import cost
from residua.loading import create_model
from residua.machine import machine, usable_cores
from residua.nn import residual_units
from residua.train import Request, make_plan

NOTES = (
    "Both candidates are residua's own eager step with the same plan; which units a step skips is drawn anew in each. "
    "A ratio r saves 1 - 1/r of the time. {skipped:.1%} of the branches are skipped on average; stem, shortcuts, sums "
    "and classifier never are. Measured here: {saved:.1%} of the time saved (median; {low:.1%} to {high:.1%} in "
    "10-90 % of the rounds). Published: about 25 % (Huang et al. 2016, sec. 4). The share of peak counts the work of "
    "the whole network in both rows, also what was skipped."
)


def case(batch: int, names: tuple[str, str]) -> tuple[Case, float]:
    """The two candidates, and the mean drop rate of the second one's units."""
    torch.manual_seed(0)
    images, labels = torch.randn(batch, 3, 32, 32), torch.randint(0, 10, (batch,))
    candidates: dict[str, Callable[[], object]] = {}
    rates: list[float] = []
    short = ""
    for label, name in zip(("every unit", "stochastic depth"), names, strict=True):
        model = create_model(name)
        rates = [unit.drop_path.rate for unit in residual_units(model).values()]
        plan = make_plan(Request(compile="off", threads=usable_cores()), model, 0.0, 0)
        short = "bf16" if plan.precision == "bfloat16" else "fp32"
        candidates[f"{label} {short}"] = residua_step(model, plan, images, labels)
    flops = 2 * 3 * cost(create_model(names[0]), (3, 32, 32)).multiply_adds
    return Case(
        name=f"ResNet-110, batch {batch}, 32 px",
        items=batch,
        flops=flops,
        candidates=candidates,
        baseline=f"every unit {short}",
    ), mean(rates)


def main() -> None:
    """Run the case and store its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each turn, about")
    parser.add_argument("--batch", type=int, default=128)
    arguments = parser.parse_args()
    torch.set_num_threads(usable_cores())
    peaks = measure_peaks()
    print(f"{machine().cpu}: {peaks}")
    made, skipped = case(arguments.batch, ("cifar_resnet110", "cifar_resnet110_stochastic_depth"))
    measured = measure(made, rounds=arguments.rounds, min_seconds=arguments.seconds, peaks=peaks)
    (row,) = (row for name, row in measured["candidates"].items() if name.startswith("stochastic depth"))
    low, high = row["speedup_10_90"]
    saved = {"saved": 1 - 1 / row["speedup"], "low": 1 - 1 / low, "high": 1 - 1 / high}
    notes = NOTES.format(skipped=skipped, **saved)
    print(notes)
    store("stochastic_depth", "The training step with stochastic depth per batch", [measured], peaks, notes)


if __name__ == "__main__":
    main()

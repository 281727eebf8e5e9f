"""How often the test of ``reproduce`` and ``compare`` errs, and how soon it decides: ``python -m benchmarks.verdicts``.

Simulated pairs of seeds, a look after each, beside the t-tests at a fixed level that were there before. Makes
``results/verdicts.json``, its table ``results/verdicts.md`` and the figure ``docs/images/verdicts.svg``. No clock has a
part in it: the same command gives the same figures on any machine.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.harness import RESULTS
from residua.experiments.rules.evalue import CERTAIN, DECIDES, FEWEST, deciding_t, e_value
from residua.experiments.rules.ruling import MAX_SEEDS
from residua.files import write_json, write_text

FIGURE = RESULTS.parent.parent / "docs" / "images" / "verdicts.svg"
SEEDS = 40  # looks of a null
IMAGES = 360  # of the digits' test part
STEP = 100 / IMAGES  # points of error that an image is
ALONE = 0.6  # the share of a statement's variance that others of its experiment do not have
EFFECTS = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)  # in standard deviations of a difference
Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def _binomial(draw: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return draw.binomial(IMAGES, 0.02, shape) * STEP


# differences with a mean of zero: what the test assumes, what errors are, and two that it does not assume
NULLS: dict[str, Draw] = {
    "normal": lambda draw, shape: draw.normal(size=shape),
    "errors of two networks on 360 images, 2 % each": lambda draw, shape: (
        _binomial(draw, shape) - _binomial(draw, shape)
    ),
    "heavy tails (Student, 3 degrees)": lambda draw, shape: draw.standard_t(3, shape),
    "skewed (exponential, less its mean)": lambda draw, shape: draw.exponential(size=shape) - 1,
}
LEAST = {"errors of two networks on 360 images, 2 % each": math.sqrt(2 * STEP**2 / 12)}  # as rules have it


def statistics(values: np.ndarray, least: float = 0.0) -> np.ndarray:
    """The t statistic of each world (a row) after 1, 2, ... seeds; that of one seed is 0."""
    n = np.arange(1, values.shape[1] + 1)
    mean = values.cumsum(1) / n
    squares = np.maximum((values**2).cumsum(1) - n * mean**2, 0)
    sd = np.maximum(np.sqrt(squares / np.maximum(n - 1, 1)), max(least, 1e-12))
    t = np.sqrt(n) * mean / sd
    t[:, 0] = 0
    return t


def share_decided(values: np.ndarray, least: float = 0.0) -> float:
    """The share of worlds in which a look after any seed decides that the mean is above 0."""
    return float((statistics(values, least) >= deciding(values.shape[1])).any(1).mean())


def deciding(seeds: int) -> np.ndarray:
    """The t statistic that decides after 1, 2, ... seeds."""
    return np.array([math.inf if n < FEWEST else deciding_t(n) for n in range(1, seeds + 1)])


def fixed_level(level: float, most: int) -> np.ndarray:
    """What decided before: from 4 seeds on a t-test, ``level`` being shared by its ``most - 3`` looks."""
    from scipy import stats

    return np.array(
        [math.inf if n < 4 else stats.t.isf(level / (most - 3), n - 1) for n in range(1, most + 1)]
    )


def nulls(worlds: int) -> list[dict[str, Any]]:
    """Of each kind of noise the share of worlds that are decided, in either direction, and as no difference."""
    found = []
    for number, (name, draw) in enumerate(NULLS.items()):
        values = draw(np.random.default_rng(number), (worlds, SEEDS))
        least = LEAST.get(name, 0.0)
        matters = float(
            values.std()
        )  # the difference is just as large as matters: "none of that size" is wrong
        below = [share_decided(sign * values, least) for sign in (1, -1)]
        inside = statistics(values + 2 * matters, least) >= deciding(SEEDS)
        both = inside & (-statistics(values, least) >= deciding(SEEDS))
        found.append(
            {"noise": name, "above": below[0], "below": below[1], "alike": float(both.any(1).mean())}
        )
    return found


def experiments_refuted(worlds: int, statements: Sequence[int] = (1, 3, 10)) -> list[dict[str, Any]]:
    """Of experiments whose statements are all true (just so), which share their trainings: those called refuted."""
    found = []
    for count in statements:
        draw = np.random.default_rng(count)
        shared = draw.normal(size=(worlds, SEEDS)) * math.sqrt(1 - ALONE)
        total = np.zeros((worlds, SEEDS))
        for _ in range(count):
            total += e_values(statistics(shared + draw.normal(size=(worlds, SEEDS)) * math.sqrt(ALONE)))
        found.append({"statements": count, "refuted": float((total / count >= DECIDES).any(1).mean())})
    return found


def e_values(t: np.ndarray) -> np.ndarray:
    """The E-value of every t statistic, interpolated in a table of it."""
    known = np.sinh(np.linspace(-5, 5, 201))
    found = np.ones_like(t)
    for n in range(FEWEST, t.shape[1] + 1):
        logs = np.log([max(e_value(n, float(at)), 1 / CERTAIN) for at in known])
        found[:, n - 1] = np.exp(np.interp(t[:, n - 1], known, logs))
    return found


def planted(worlds: int) -> list[dict[str, Any]]:
    """Of each size of an effect: the share decided, and how many pairs were run, by every test."""
    tests = {
        "E-value, at most 20": deciding(MAX_SEEDS),
        "compare before, at most 8": fixed_level(0.025, 8),
        "compare before, at most 20": fixed_level(0.025, 20),
        "reproduce before, at most 8": fixed_level(0.05 / 27, 8),
    }
    found = []
    for number, effect in enumerate(EFFECTS):
        t = statistics(np.random.default_rng(100 + number).normal(effect, 1, (worlds, MAX_SEEDS)))
        for name, bounds in tests.items():
            reached = t[:, : len(bounds)] >= bounds
            decided = reached.any(1)
            pairs = np.where(decided, reached.argmax(1) + 1, len(bounds))
            found.append(
                {
                    "effect": effect,
                    "test": name,
                    "decided": float(decided.mean()),
                    "pairs": float(pairs.mean()),
                }
            )
    return found


def identical(worlds: int) -> list[dict[str, Any]]:
    """Of two networks that are the same: the share told so, by the size that matters, and how many pairs were run."""
    values = np.random.default_rng(200).normal(size=(worlds, MAX_SEEDS))
    bounds, found = deciding(MAX_SEEDS), []
    for matters in (1.0, 1.5, 2.0, 3.0, 5.0):
        alike = (statistics(values + matters) >= bounds) & (statistics(matters - values) >= bounds)
        reached = alike | (np.abs(statistics(values)) >= bounds)
        first = np.where(reached.any(1), reached.argmax(1), MAX_SEEDS - 1)
        told = alike[np.arange(worlds), first]
        found.append({"matters": matters, "told": float(told.mean()), "pairs": float((first + 1).mean())})
    return found


def table(evidence: dict[str, Any]) -> str:
    """The Markdown page."""
    lines = [
        "# Verdicts: how often they are wrong, and how soon they come",
        "",
        f"`{evidence['command']}`: {evidence['worlds']:,} simulated worlds a row, a look after each of "
        f"{evidence['seeds']} seeds.",
        "",
        "## No difference: the share of worlds decided wrongly",
        "",
        "The bound is 2.5 % in each direction. *No difference* is wrong where the difference is just as large as "
        "matters (here one standard deviation). The test assumes normal differences: the last two rows say what "
        "becomes of it where they are not. Differences of two arms that are alike cannot be skewed; a single arm "
        "against a bound can.",
        "",
        "| noise | above | below | no difference |",
        "|---|---:|---:|---:|",
        *(
            f"| {row['noise']} | {row['above']:.2%} | {row['below']:.2%} | {row['alike']:.2%} |"
            for row in evidence["nulls"]
        ),
        "",
        "## Experiments of several true statements on shared trainings: the share refuted",
        "",
        "| statements | refuted |",
        "|---:|---:|",
        *(f"| {row['statements']} | {row['refuted']:.2%} |" for row in evidence["experiments"]),
        "",
        "## A planted difference: the share decided, and the mean number of pairs run",
        "",
        "The effect is in standard deviations of a difference of a pair.",
        "",
    ]
    tests = list(dict.fromkeys(row["test"] for row in evidence["planted"]))
    lines += [f"| effect | {' | '.join(tests)} |", "|---:" * (len(tests) + 1) + "|"]
    for effect in dict.fromkeys(row["effect"] for row in evidence["planted"]):
        cells = [
            f"{row['decided']:.0%}, {row['pairs']:.1f}"
            for row in evidence["planted"]
            if row["effect"] == effect
        ]
        lines.append(f"| {effect:g} | {' | '.join(cells)} |")
    lines += [
        "",
        "## Two networks that are the same: the share told so within 20 pairs, and the mean number of pairs run",
        "",
        "The tests before had no such answer: they ran to their last pair.",
        "",
        "| a difference matters from (standard deviations) | no difference | pairs |",
        "|---:|---:|---:|",
        *(
            f"| {row['matters']:g} | {row['told']:.0%} | {row['pairs']:.1f} |"
            for row in evidence["identical"]
        ),
    ]
    lines += ["", "## What decides", "", "| seeds | t | effect (mean / spread) |", "|---:|---:|---:|"]
    lines += [f"| {row['seeds']} | {row['t']:.2f} | {row['effect']:.2f} |" for row in evidence["decides"]]
    return "\n".join([*lines, ""])


def draw_figure(rows: list[dict[str, Any]]) -> None:
    """Left the share decided, right the pairs run, by the size of the effect."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in dict.fromkeys(row["test"] for row in rows):
        mine = [row for row in rows if row["test"] == name]
        x = [row["effect"] for row in mine]
        left.plot(x, [100 * row["decided"] for row in mine], marker="o", label=name)
        right.plot(x, [row["pairs"] for row in mine], marker="o", label=name)
    for axes, label in ((left, "decided (%)"), (right, "pairs run, mean")):
        axes.set_xscale("log")
        axes.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
        axes.set_xlabel("effect (standard deviations of a difference)")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    right.legend(fontsize=7)
    with mpl.rc_context({"svg.hashsalt": "residua"}):
        figure.savefig(FIGURE, metadata={"Date": None})


def main() -> None:
    """Simulate and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=20_000)
    worlds = parser.parse_args().worlds
    shown = (3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 40)
    evidence = {
        "schema": 1,
        "command": f"python -m benchmarks.verdicts --worlds {worlds}",
        "worlds": worlds,
        "seeds": SEEDS,
        "nulls": nulls(worlds),
        "experiments": experiments_refuted(worlds),
        "planted": planted(worlds),
        "identical": identical(worlds),
        "decides": [{"seeds": n, "t": deciding_t(n), "effect": deciding_t(n) / math.sqrt(n)} for n in shown],
    }
    write_json(RESULTS / "verdicts.json", evidence)
    write_text(RESULTS / "verdicts.md", table(evidence))
    draw_figure(evidence["planted"])


if __name__ == "__main__":
    main()

"""What the paired test found: in figures, and in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from residua.compare.matching import WORDS
from residua.compare.question import Question
from residua.experiments.rules.directions import FIRST_LOOK, Paired
from residua.experiments.rules.ruling import Evidence


def tested(question: Question, test: Paired | None) -> dict[str, Any]:
    """Which is better (None: undecided), the difference b - a, and the one-sided p of either being better."""
    told = {"a": question.one.label, "b": question.other.label, "metric": question.metric}
    if test is None:
        return {**told, "better": None, "paired": None}
    better = {"direction reproduced": told["b"], "not reproduced": told["a"]}.get(test.status)
    sample = test.sample
    paired = {
        "difference": -sample.mean if question.lower else sample.mean,
        "sd": sample.sd,
        "pairs": sample.n,
        "p_a_better": test.below,
        "p_b_better": test.above,
        "level": test.level,
    }
    return {**told, "better": better, "paired": paired}


def sentence(found: Mapping[str, Any], evidence: Evidence) -> str:
    """Which is better, by how much and how surely; or that it is not decided."""
    a, b, measure, paired = (found[key] for key in ("a", "b", "metric", "paired"))
    words, unit = measure.replace("_", " "), " %" if measure.endswith("_error") else ""
    if paired is None:
        return f"Nothing is known: no seed has a {words} of both {a} and {b}."
    seeds = [seed for seed in evidence[a] if seed in evidence[b]]
    mean = {x: sum(float(evidence[x][seed][measure]) for seed in seeds) / len(seeds) for x in (a, b)}
    figure = {x: f"{mean[x]:.4g}{unit}" for x in (a, b)}
    spread = "" if paired["sd"] is None else f" ± {paired['sd']:.2g}"
    pairs = "1 pair" if paired["pairs"] == 1 else f"{paired['pairs']} pairs"
    p = min(paired["p_a_better"], paired["p_b_better"])
    sure = (
        f"a difference of {abs(paired['difference']):.3g}{spread} in {pairs} of seeds "
        f"(p = {p:.2g}, decided below {paired['level']:.2g})"
    )
    if found["better"] is None:
        few = f" Fewer than {FIRST_LOOK} pairs decide nothing." if paired["pairs"] < FIRST_LOOK else ""
        return f"Undecided between {a} and {b}: {words} {figure[a]} and {figure[b]}, {sure}.{few}"
    best, worst = (a, b) if found["better"] == a else (b, a)
    return f"{best} is better: {words} {figure[best]} against {figure[worst]} of {worst}, {sure}."


def matching(question: Question, matched: Mapping[str, Any] | None) -> list[str]:
    """How the cost was matched, and how near it came."""
    if matched is None:
        return []
    changed = ", ".join(f"{key} {value}" for key, value in matched["changes"].items())
    how = f"at {matched['factor']:.3g} times its {matched['what']} ({changed})" if changed else "as it is"
    cost = f"{matched['ratio']:.3f} times the {WORDS[matched['by']]}"
    return [f"Matched: {question.other.label} {how} has {cost} of {question.one.label}."]

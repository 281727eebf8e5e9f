"""What the paired test found: in figures, and in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from residua.compare.matching import WORDS
from residua.compare.question import Question
from residua.experiments.rules.evalue import DECIDES, FEWEST
from residua.experiments.rules.ruling import Evidence, Ruling


def tested(question: Question, ruling: Ruling) -> dict[str, Any]:
    """Which is better (None: not decided, or no difference), the difference b - a, and the E-values."""
    told = {"a": question.one.label, "b": question.other.label, "metric": question.metric}
    better = {"direction reproduced": told["b"], "not reproduced": told["a"]}.get(ruling.status)
    told |= {"better": better, "alike": ruling.status == "no difference that matters", "paired": None}
    effect, trail = ruling.effect, ruling.trail
    if effect is None or trail is None:
        return told
    sign = -1 if question.lower else 1
    ends = [None if end is None else sign * end for end in (effect.low, effect.high)]
    paired = {
        "difference": sign * effect.mean,
        "sd": effect.sd,
        "low": ends[0 if sign > 0 else 1],
        "high": ends[1 if sign > 0 else 0],
        "pairs": effect.n,
        "smallest": effect.smallest,
        "e_a_better": trail.against[-1],
        "e_b_better": trail.toward[-1],
        "e_alike": trail.alike[-1] if trail.alike else None,
        "trail": trail.to_dict(),
        "decides": DECIDES,
        "more_pairs": None if trail.decision else effect.more_seeds,
    }
    return told | {"paired": paired}


def sentence(found: Mapping[str, Any], evidence: Evidence) -> str:
    """Which is better, by how much and how surely; that they do not differ; or that it is not decided."""
    a, b, measure, paired = (found[key] for key in ("a", "b", "metric", "paired"))
    words, unit = measure.replace("_", " "), " %" if measure.endswith("_error") else ""
    if paired is None:
        return f"Nothing is known: no seed has a {words} of both {a} and {b}."
    seeds = [seed for seed in evidence[a] if seed in evidence[b]]
    mean = {x: sum(float(evidence[x][seed][measure]) for seed in seeds) / len(seeds) for x in (a, b)}
    figure = {x: f"{mean[x]:.4g}{unit}" for x in (a, b)}
    if found["alike"]:
        size = _size(measure, paired["smallest"])
        return f"No difference of {size}: {words} {figure[a]} of {a} and {figure[b]} of {b}, {_sure(paired)}."
    if found["better"] is None:
        few = f" Fewer than {FEWEST} pairs decide nothing." if paired["pairs"] < FEWEST else ""
        more = (
            f" At this difference {paired['more_pairs']} more would decide." if paired["more_pairs"] else ""
        )
        return (
            f"Undecided between {a} and {b}: {words} {figure[a]} and {figure[b]}, {_sure(paired)}.{few}{more}"
        )
    best, worst = (a, b) if found["better"] == a else (b, a)
    return f"{best} is better: {words} {figure[best]} against {figure[worst]} of {worst}, {_sure(paired)}."


def _sure(paired: Mapping[str, Any]) -> str:
    """The difference with its interval, and the largest E-value, in words."""
    spread = "" if paired["sd"] is None else f" ± {paired['sd']:.2g}"
    pairs = "1 pair" if paired["pairs"] == 1 else f"{paired['pairs']} pairs"
    between = ""
    if paired["low"] is not None:
        between = (
            f", between {paired['low']:.3g} and {paired['high']:.3g} of the second network less the first"
        )
    e = max(paired["trail"][kind][-1] for kind in ("toward", "against", "alike") if paired["trail"][kind])
    return (
        f"a difference of {abs(paired['difference']):.3g}{spread} in {pairs} of seeds{between} "
        f"(E = {e:.3g}, decided from {paired['decides']:g} on)"
    )


def _size(measure: str, smallest: float) -> str:
    if not measure.endswith("_error"):
        return f"{smallest:g}"
    return "a point" if smallest == 1 else f"{smallest:g} points"


def matching(question: Question, matched: Mapping[str, Any] | None) -> list[str]:
    """How the cost was matched, and how near it came."""
    if matched is None:
        return []
    changed = ", ".join(f"{key} {value}" for key, value in matched["changes"].items())
    how = f"at {matched['factor']:.3g} times its {matched['what']} ({changed})" if changed else "as it is"
    cost = f"{matched['ratio']:.3f} times the {WORDS[matched['by']]}"
    return [f"Matched: {question.other.label} {how} has {cost} of {question.one.label}."]

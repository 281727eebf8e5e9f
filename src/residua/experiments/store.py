"""What is kept of an experiment: ``<out>/<paper>/<name>/<scale>/result.json``, all that its report shows."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from residua.experiments.claims import CLAIMS
from residua.experiments.rules.student import Sample
from residua.files import read_json, write_json
from residua.machine import describe_machine
from residua.published import published

if TYPE_CHECKING:
    from residua.experiments.reproduce import Plan

RESULT = "result.json"


def result_path(out: Path, experiment: str, scale: str) -> Path:
    """Where the result of an experiment stands."""
    return out / experiment / scale / RESULT


def write_result(plan: Plan, out: Path) -> dict[str, Any]:
    """Write and return the result of a plan as far as it has come; one that was refused replaces no measured one."""
    result = _result(plan)
    path = result_path(out, plan.experiment.id, plan.scale)
    if not plan.evidence and path.exists():
        stored = read_json(path)
        if stored.get("evidence"):
            return {**stored, "reason": plan.reason}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, result)
    return result


def _result(plan: Plan) -> dict[str, Any]:
    experiment, setting, verdict = plan.experiment, plan.setting, plan.verdict()
    rows = [row.to_dict() for row in experiment.published]
    known = published()
    arms = [arm.name for arm in setting.arms] if setting else []
    evidence = {
        arm: plan.evidence[arm] for arm in arms if arm in plan.evidence
    }  # in the order of the experiment
    return {
        "schema": 1,
        "experiment": experiment.id,
        "title": experiment.title,
        "title_zh": experiment.zh,
        "claims": [{"id": c, "text": CLAIMS[c].text, "zh": CLAIMS[c].zh} for c in experiment.claims],
        "where": experiment.where,
        "scale": plan.scale,
        "verdict": verdict.status,
        "reason": plan.reason,
        "checks": [{"text": c.text, "status": c.status, "reason": c.reason} for c in verdict.checks],
        "table": _table(experiment.measures, evidence, rows),
        "published": rows,
        "observations": [
            {"text": o.text, "source": f"{o.source}, {o.where}", "status": o.status}
            for o in (known.observations[name] for name in experiment.observations)
        ],
        "misquotes": [
            {"claim": m.claim, "truth": m.truth, "where_seen": m.where_seen, "status": m.status}
            for m in (known.misquotes[name] for name in experiment.misquotes)
        ],
        "caveats": list(experiment.caveats),
        "figure": experiment.figure,
        "measures": list(experiment.measures),
        "data": plan.identity,
        "recipe": {"name": setting.recipe, **setting.changes} if setting and setting.recipe else None,
        "arms": [
            {
                "name": arm.name,
                "model": arm.model,
                **{k: dict(getattr(arm, k)) for k in ("changes", "recipe", "options")},
            }
            for arm in (setting.arms if setting else ())
        ],
        "evidence": {
            arm: {str(seed): values for seed, values in sorted(seeds.items())}
            for arm, seeds in evidence.items()
        },
        "failed": plan.failed,
        "seeds": plan.asked,
        "max_seeds": plan.max_seeds,
        "seconds": round(sum(v.get("seconds", 0.0) for s in plan.evidence.values() for v in s.values()), 1),
        "machine": describe_machine(),
        "command": ["residua", *sys.argv[1:]],
    }


def _table(
    names: tuple[str, ...],
    evidence: Mapping[str, Mapping[int, Mapping[str, Any]]],
    rows: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """A row for each arm and measure: mean, spread and number of seeds, and the published figure beside it."""
    table = []
    for arm, seeds in evidence.items():
        for name in names:
            values = [v[name] for v in seeds.values() if isinstance(v.get(name), int | float)]
            if not values:
                continue
            sample = Sample.of(values)
            beside = [row for row in rows if row["arm"] == arm and row["measure"] == name]
            table.append(
                {
                    "arm": arm,
                    "measure": name,
                    "n": sample.n,
                    "mean": sample.mean,
                    "sd": sample.sd,
                    "published": [
                        {"value": row["value"], "source": row["source"], "status": row["status"]}
                        for row in beside
                    ],
                }
            )
    return table

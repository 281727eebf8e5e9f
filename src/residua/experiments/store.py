"""What is kept of an experiment: ``<out>/<paper>/<name>/<scale>/result.json``, all that its report shows."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from residua.experiments.catalogue import experiments
from residua.experiments.experiment import Experiment, Setting
from residua.experiments.rules import Verdict, judge
from residua.experiments.rules.sample import Sample
from residua.experiments.rules.trail import rounded
from residua.experiments.study import Study
from residua.files import read_json, write_json
from residua.machine import describe_machine
from residua.published import published

RESULT = "result.json"


def result_path(out: Path, experiment: str, scale: str) -> Path:
    """Where the result of an experiment stands."""
    return out / experiment / scale / RESULT


def write_result(study: Study, out: Path) -> dict[str, Any]:
    """Write and return the result of a study as far as it has come; one that was refused replaces no measured one."""
    result = _result(study)
    path = result_path(out, study.experiment.id, study.scale)
    if not study.evidence and path.exists():
        stored = read_json(path)
        if stored.get("evidence"):
            return {**stored, "reason": study.reason}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, result)
    return result


def _result(study: Study) -> dict[str, Any]:
    experiment, setting = study.experiment, study.setting
    arms = [arm.name for arm in setting.arms] if setting else []
    evidence = {arm: study.evidence[arm] for arm in arms if arm in study.evidence}
    return {
        "schema": 1,
        **told(experiment),
        "scale": study.scale,
        "reason": study.reason,
        **judged(experiment, study.verdict(), evidence),
        "data": study.identity,
        **run_as(setting),
        "evidence": {
            arm: {str(seed): values for seed, values in sorted(seeds.items())}
            for arm, seeds in evidence.items()
        },
        "failed": study.failed,
        "seeds": study.asked,
        "max_seeds": study.max_seeds,
        "seconds": round(sum(v.get("seconds", 0.0) for s in study.evidence.values() for v in s.values()), 1),
        "machine": describe_machine(),
        "command": ["residua", *sys.argv[1:]],
    }


def judged_anew(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """A stored result, judged by the rules of now from the evidence that it holds, in the words of now.

    None where what is run under this name has changed since (or is gone): then it has to be run again.
    """
    experiment = experiments().get(result["experiment"])
    setting = experiment.setting(result["scale"]) if experiment else None
    if experiment is None or setting is None:
        return None
    if isinstance(setting, str):
        return None if result["evidence"] else {**result, **told(experiment), "reason": setting}
    evidence = {
        arm: {int(n): values for n, values in seeds.items()} for arm, seeds in result["evidence"].items()
    }
    if evidence and run_as(setting) != {name: result[name] for name in run_as(setting)}:
        return None
    if not evidence:
        return {**result, **told(experiment)}
    return {**result, **told(experiment), **judged(experiment, judge(setting.rules, evidence), evidence)}


def told(experiment: Experiment) -> dict[str, Any]:
    """What is said of an experiment, whatever was measured."""
    known = published()
    return {
        "experiment": experiment.id,
        "title": experiment.title,
        "title_zh": experiment.zh,
        "claims": [{"id": c.id, "text": c.text, "zh": c.zh} for c in experiment.checked],
        "where": experiment.where,
        "published": [row.to_dict() for row in experiment.published],
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
    }


def judged(
    experiment: Experiment, verdict: Verdict, evidence: Mapping[str, Mapping[int, Mapping[str, Any]]]
) -> dict[str, Any]:
    """The verdict with all that it rests on, and the table of what was measured."""
    rows = [row.to_dict() for row in experiment.published]
    return {
        "verdict": verdict.status,
        "against": [rounded(e) for e in verdict.against],
        "checks": [{"text": text, **ruling.to_dict()} for text, ruling in verdict.rulings.items()],
        "table": _table(experiment.measures, evidence, rows),
    }


def run_as(setting: Setting | None) -> dict[str, Any]:
    """How an experiment is run, as JSON holds it: the recipe and the arms."""
    changed = ("changes", "recipe", "options")
    told = {
        "recipe": {"name": setting.recipe, **setting.changes} if setting and setting.recipe else None,
        "arms": [
            {
                "name": arm.name,
                "model": arm.model if isinstance(arm.model, str) else arm.model.name,
                **{key: dict(getattr(arm, key)) for key in changed},
            }
            for arm in (setting.arms if setting else ())
        ],
    }
    return json.loads(json.dumps(told))


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

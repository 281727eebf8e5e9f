"""``residua reproduce``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from residua.cli.grid_bar import GridBar
from residua.cli.say import complain, say, say_json
from residua.errors import UsageError


def reproduce(
    names: list[str] | None = None,
    /,
    *,
    list: Annotated[bool, Parameter(negative="")] = False,
    scale: Literal["quick", "small", "paper"] = "quick",
    data: str | None = None,
    seeds: int | None = None,
    max_seeds: int = 20,
    budget: str | None = None,
    out: Path = Path("runs/reproduce"),
    jobs: Annotated[int | None, Parameter(name=["--jobs", "-j"])] = None,
    ray: str | None = None,
    device: str = "auto",
    lang: Literal["en", "zh"] = "en",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run experiments of the papers and say of each: published value, measured value, verdict.

    What is complete is skipped and what was interrupted goes on, so the same command may be given again at any time.
    Exit code 1 if a run failed; a claim that is not reproduced is a result, not a failure.

    Args:
        names: experiments (he2015/degradation), papers (he2015), or all.
        list: list the experiments with the claims that they check.
        scale: quick (bundled digits, minutes, directions are judged), small (CIFAR-10, hours, directions) or paper (the
            paper's data, epochs and seeds: numbers are judged).
        data: CIFAR-10 (folder or archive), or other images for the quick scale.
        seeds: to begin with; more are added until the verdict is decided.
        max_seeds: the most seeds. No part of the test: it may be raised at any time.
        budget: no seed is added after this time (30m, 2h); the same command goes on with it.
        out: the folder of runs, results and reports.
        jobs: runs at once; by default one for each core.
        ray: address of a Ray cluster on which the runs are made; --out must be on a disk that its nodes share.
        device: auto, cpu, cuda or cuda:N.
        lang: language of the reports.
        json: print one JSON object.

    """
    from residua.experiments.catalogue import experiments

    if list:
        rows = [_listed(item) for item in experiments().values()]
        if json:
            say_json({"schema": 1, "experiments": rows})
        else:
            say(
                *_text_columns(
                    [(r["id"], *map(", ".join, (r["claims"], r["scales"])), r["title"]) for r in rows]
                )
            )
        return 0
    if not names:
        raise UsageError(f"say which experiments: one of {len(experiments())} (--list), a paper, or all")
    from residua.experiments.reproduce import reproduce as run
    from residua.search.target import parse_seconds

    results = run(
        names,
        scale=scale,
        data=data,
        seeds=seeds,
        max_seeds=max_seeds,
        budget=math.inf if budget is None else parse_seconds(budget, "--budget"),
        out=out,
        jobs=jobs,
        ray=ray,
        device=device,
        progress=GridBar(),
    )
    from residua.experiments.store import result_path
    from residua.report import render_gallery, render_reproduction

    pages = [render_reproduction(result_path(out, r["experiment"], r["scale"]), lang=lang) for r in results]
    gallery = render_gallery(out, lang=lang)
    if json:
        say_json({"schema": 1, "results": results})
    else:
        for result, page in zip(results, pages, strict=True):
            say(*_text(result), f"  {page}", "")
        say(f"all results: {gallery}")
    failed = {name: why for result in results for name, why in result["failed"].items()}
    for name, why in failed.items():
        complain(f"{name} failed: {why}")
    return 1 if failed else 0


def _listed(item: Any) -> dict[str, Any]:
    return {
        "id": item.id,
        "title": item.title,
        "claims": [claim.id for claim in item.checked],
        "where": item.where,
        "scales": [scale for scale, setting in item.settings.items() if not isinstance(setting, str)],
    }


def _text(result: dict[str, Any]) -> list[str]:
    """A result for people: the table with the published figures, each check, and the verdict."""
    from residua.experiments.rules.ruling import figure

    lines = [f"{result['experiment']}  {result['title']}  ({', '.join(c['id'] for c in result['claims'])})"]
    rows = [("", "measured", "published")]
    for row in result["table"]:
        spread = f" ± {row['sd']:.2g}" if row["sd"] else ""  # none of one seed, or where all agree
        published = "; ".join(
            f"{p['value']} ({p['source']}{'' if p['status'] == 'verified' else ', unconfirmed'})"
            for p in row["published"]
        )
        measured = f"{figure(row['mean'])}{spread} (n = {row['n']})"
        rows.append((f"{row['arm']}: {row['measure'].replace('_', ' ')}", measured, published or "-"))
    if len(rows) > 1:
        lines += [f"  {line}" for line in _text_columns(rows)]
    lines += [f"  {check['status']}: {check['text']} [{check['reason']}]" for check in result["checks"]]
    why = f" ({result['reason']})" if result["reason"] else ""
    return [*lines, f"  verdict: {result['verdict']}{why}"]


def _text_columns(rows: list[tuple[str, ...]]) -> list[str]:
    from residua.description.columns import columns

    last = len(rows[0]) - 1
    return columns(rows, flexible=last, width=10**6)  # nothing is wrapped: one line a row, for grep

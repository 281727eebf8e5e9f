"""``residua reproduce``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from residua.cli.say import complain, say, say_json
from residua.errors import UsageError
from residua.names import shown


def reproduce(
    names: list[str] | None = None,
    /,
    *,
    list: Annotated[bool, Parameter(negative="")] = False,
    scale: Literal["quick", "small", "paper"] = "quick",
    data: str | None = None,
    seeds: int | None = None,
    max_seeds: int = 8,
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
        max_seeds: the most seeds.
        out: the folder of runs, results and reports.
        jobs: runs at once; by default one for each core.
        ray: address of a Ray cluster on which the runs are made; --out must be on a disk that its nodes share.
        device: auto, cpu, cuda or cuda:N.
        lang: language of the reports.
        json: print one JSON object.

    """
    from residua.experiments.paper import experiments

    if list:
        if json:
            say_json({"schema": 1, "experiments": _list()})
        else:
            say(*_listed())
        return 0
    if not names:
        raise UsageError(f"say which experiments: one of {len(experiments())} (--list), a paper, or all")
    from residua.experiments.reproduce import reproduce as run

    results = run(
        names,
        scale=scale,
        data=data,
        seeds=seeds,
        max_seeds=max_seeds,
        out=out,
        jobs=jobs,
        ray=ray,
        device=device,
        progress=Bar(),
    )
    from residua.experiments.store import result_path
    from residua.report import render_gallery, render_reproduction

    pages = [render_reproduction(result_path(out, r["experiment"], r["scale"]), lang=lang) for r in results]
    gallery = render_gallery(out, lang=lang)
    if json:
        say_json({"schema": 1, "results": results})
    else:
        for result, page in zip(results, pages, strict=True):
            say(*_shown(result), f"  {page}", "")
        say(f"all results: {gallery}")
    failed = {name: why for result in results for name, why in result["failed"].items()}
    for name, why in failed.items():
        complain(f"{name} failed: {why}")
    return 1 if failed else 0


def _listed() -> list[str]:
    from residua.experiments.paper import experiments

    rows = [
        (item.id, ", ".join(item.claims), ", ".join(_scales(item)), item.title)
        for item in experiments().values()
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return ["  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[3]]) for row in rows]


def _list() -> list[dict[str, Any]]:
    from residua.experiments.paper import experiments

    return [
        {
            "id": item.id,
            "title": item.title,
            "claims": item.claims,
            "where": item.where,
            "scales": _scales(item),
        }
        for item in experiments().values()
    ]


def _scales(item: Any) -> list[str]:
    return [scale for scale, setting in item.settings.items() if not isinstance(setting, str)]


def _shown(result: dict[str, Any]) -> list[str]:
    """A result for people: the table with the published figures, each check, and the verdict."""
    from residua.experiments.rules.directions import figure

    lines = [f"{result['experiment']}  {result['title']}  ({', '.join(c['id'] for c in result['claims'])})"]
    rows = [("", "measured", "published")]
    for row in result["table"]:
        spread = f" ± {row['sd']:.2g}" if row["sd"] else ""  # none of one seed, or where all agree
        published = "; ".join(
            f"{p['value']} ({p['source']}{'' if p['status'] == 'verified' else ', unconfirmed'})"
            for p in row["published"]
        )
        name = row["measure"].replace("_", " ")
        rows.append(
            (f"{row['arm']}: {name}", f"{figure(row['mean'])}{spread} (n = {row['n']})", published or "-")
        )
    if len(rows) > 1:
        widths = [max(len(row[i]) for row in rows) for i in range(2)]
        lines += [f"  {a.ljust(widths[0])}  {b.ljust(widths[1])}  {c}".rstrip() for a, b, c in rows]
    lines += [f"  {check['status']}: {check['text']} [{check['reason']}]" for check in result["checks"]]
    why = f" ({result['reason']})" if result["reason"] else ""
    return [*lines, f"  verdict: {result['verdict']}{why}"]


class Bar:
    """A bar with the time left on a terminal, a line a cell elsewhere."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.description}", markup=False),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("", total=None)
            self._bar.start()

    def update(self, done: int, total: int, text: str) -> None:
        """As of a runner's progress."""
        from residua.train.progress import clock

        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, description=shown(text))
            if done == total:
                self._bar.stop()
            return
        left = (time.monotonic() - self._began) / done * (total - done)
        print(f"{done}/{total}  {shown(text)}  {clock(left)} left", file=sys.stderr, flush=True)

"""Trainings within a time, one after the other, each of them whole.

Successive halving would train more candidates for a shorter time and keep those that lead early. But the rates of the
recipes here fall to zero, and most of what a network reaches it reaches at the end: a training that is cut says little
of its end. So each candidate that is begun is trained to its end, the likeliest first, and one is begun only if its
expected time, corrected by what the earlier ones took, is left. A candidate that is too slow for the target on random
weights already is never trained. What is best is told by the validation images alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from residua.data import load_data
from residua.data.facts import facts_of, read_facts
from residua.errors import ResiduaError, UsageError
from residua.registry import build
from residua.runs.folder import RunFolder
from residua.runs.layout import is_run
from residua.search.candidates import Candidate, candidates
from residua.search.record import Record, Trial, read_record
from residua.search.target import Target, latency
from residua.spec import DataSpec, Metric
from residua.train import Callback, StopTraining, fit, resume
from residua.train.plan import choose_device

OVERRUN = 1.08  # times the budget, after which a training is stopped where it stands
Note = Callable[[str], None]


def search(
    data: DataSpec,
    *,
    budget: float,
    target: Target | None,
    folder: Path,
    how: Mapping[str, Any],
    note: Note = lambda text: None,
) -> Record:
    """Train candidates for ``budget`` seconds, and keep the best that meets the target; go on with what is there.

    Args:
        data: the images.
        budget: seconds, of all sessions together. The first candidate is trained, if with fewer epochs, however few.
        target: the most seconds of an image on a device; None: any.
        folder: for the search and its runs.
        how: arguments of ``fit`` that hold for every candidate.
        note: told of every candidate.

    Raises:
        UsageError: if no candidate meets the target, and for what ``fit`` refuses.
        ResiduaError: as ``fit``.

    """
    began = time.monotonic()
    asked = {"data": str(data.source), "target": str(target) if target else None, "how": _plain(how)}
    record = read_record(folder, {**asked, "budget": budget})
    facts = read_facts(data) if data.image_size is None else None
    facts = facts or facts_of(load_data(data))
    tried = candidates(
        facts,
        **{name: how.get(name) for name in ("model", "recipe", "recipe_changes", "threads")},
        device=choose_device(how.get("device", "auto")),
    )
    known = {trial.name: trial for trial in record.trials}
    record.trials = [known.get(each.name) or _trial(each) for each in tried]
    earlier, pace = sum(trial.seconds or 0.0 for trial in record.trials), _pace(record, tried)
    for candidate, trial in zip(tried, record.trials, strict=True):
        if trial.status == "trained":
            continue
        if trial.latency_ms is None:
            trial.latency_ms = _latency(candidate, target)
        if target is not None and trial.latency_ms > 1e3 * target.seconds:
            trial.status = "too slow"
            record.write(folder)
            continue
        started = time.monotonic()
        left = budget - earlier - (started - began)
        first = not any(other.status == "trained" for other in record.trials)
        if candidate.seconds * pace > left and not first:
            trial.status, trial.why = (
                "no time",
                f"{candidate.seconds * pace:.0f} s expected, {max(left, 0):.0f} left",
            )
            record.write(folder)
            continue
        record.write(folder)
        note(f"{candidate.name}: about {candidate.seconds * pace:.0f} s of {max(left, 0):.0f} left")
        shorter = _shorter(candidate, how, left / pace) if first else {}
        stop_at = started + left + (OVERRUN - 1) * budget
        run = _train(candidate, data, folder / candidate.name, how, shorter, stop_at)
        _finish(record, trial, run, time.monotonic() - started)
        pace = _pace(record, tried)
        record.write(folder)
        note(f"{candidate.name}: validation {trial.validation}, {trial.latency_ms:.2f} ms an image")
    if record.best is None:
        fastest = min(trial.latency_ms for trial in record.trials if trial.latency_ms is not None)
        raise UsageError(f"no network meets --target {target}: the fastest takes {fastest:.2f} ms an image")
    return record


def _trial(candidate: Candidate) -> Trial:
    return Trial(
        name=candidate.name,
        model=candidate.spec.name,
        image_size=candidate.image_size,
        weights=candidate.weights,
    )


def _plain(how: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in how.items() if value is not None and name != "progress"}


def _pace(record: Record, tried: list[Candidate]) -> float:
    """What trainings took here, by what was expected of them; 1 before any is done."""
    done = [(t.seconds, c.seconds) for t, c in zip(record.trials, tried, strict=True) if t.seconds]
    return sum(took for took, _ in done) / sum(expected for _, expected in done) if done else 1.0


def _latency(candidate: Candidate, target: Target | None) -> float:
    """Milliseconds of one image, on the target or the CPU; it does not depend on what the weights are."""
    device = target.device if target is not None else "cpu"
    return 1e3 * latency(build(candidate.spec), candidate.shape, choose_device(device))


def _shorter(candidate: Candidate, how: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Fewer epochs for the first candidate, if its own would not end within the budget."""
    changes = how.get("recipe_changes") or {}
    if candidate.seconds <= seconds or {"epochs", "iterations"} & set(changes):
        return {}
    return {"epochs": max(1, int(candidate.epochs * seconds / candidate.seconds))}


def _train(
    candidate: Candidate,
    data: DataSpec,
    path: Path,
    how: Mapping[str, Any],
    shorter: Mapping[str, Any],
    stop_at: float,
) -> RunFolder:
    """The finished run of a candidate, gone on with if it was begun."""
    told = {"callbacks": [_Deadline(stop_at)], "progress": how.get("progress", True)}
    if is_run(path):
        return resume(path, **told)
    changes = {**(how.get("recipe_changes") or {}), **shorter}
    asked = {**how, "recipe_changes": changes, "run_dir": path, **told}
    if candidate.weights != "random":
        return fit(data=data, **asked)
    sized = data if candidate.image_size is None else data.change(image_size=candidate.image_size)
    return fit(data=sized, **{**asked, "model": candidate.spec.name, "weights": "random"})


class _Deadline(Callback):
    def __init__(self, stop_at: float) -> None:
        self.stop_at = stop_at

    def on_step(self, moment: Any) -> None:
        if time.monotonic() > self.stop_at:
            raise StopTraining("the budget is spent")


def _finish(record: Record, trial: Trial, run: RunFolder, took: float) -> None:
    """Keep what a run reached, and whether it is the best."""
    result = run.result
    if result is None:
        raise ResiduaError(f"{run.path} is not complete")
    record.metric, record.direction = result["primary"], result["direction"]
    trial.status, trial.seconds = "trained", max(took, result["seconds"])
    trial.why = (result.get("stopped") or {}).get("why", "")
    trial.validation = result.get(f"val_{record.metric}")
    trial.test = result.get(f"test_{record.metric}")
    judged = Metric(record.metric, "max" if record.direction == "max" else "min")
    best = next((other for other in record.trials if other.name == record.best), None)
    if best is None or (
        trial.validation is not None
        and (best.validation is None or judged.better(trial.validation, best.validation))
    ):
        record.best = trial.name

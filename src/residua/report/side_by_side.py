"""Several runs beside each other: how they did, what differs between them, and what ails the worst."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from residua.intervals import wilson
from residua.report.curves import Named
from residua.report.diagnosis import Course, Diagnosis, diagnose
from residua.report.numbers import count, duration, percent, short
from residua.report.run_tables import SectionValues, command, flatten, say
from residua.report.translation import Translate, translator
from residua.runs.record import Run

COMPARED = ("spec", "recipe", "seed", "plan", "data")
UNSAID = "–"


def names(runs: Sequence[Run]) -> list[str]:
    """Names that tell the runs apart: the folders', or whole paths where two folders are called the same."""
    short_names = [run.name for run in runs]
    return [
        name if short_names.count(name) == 1 else str(run.path)
        for name, run in zip(short_names, runs, strict=True)
    ]


# What the runs are compared by: the key of its name, and how a run says it.
ROWS: dict[str, Callable[[Run, Translate], str]] = {
    "status": lambda run, t: t("complete" if run.result else "unfinished"),
    "model": lambda run, t: run.model,
    "data": lambda run, t: run.dataset,
    "test_accuracy": lambda run, t: percent(run.get("test_accuracy")),
    "val_accuracy": lambda run, t: percent(run.last("val_accuracy")),
    "train_accuracy": lambda run, t: percent(run.last("train_accuracy")),
    "seconds": lambda run, t: duration(run.get("seconds")),
    "parameters": lambda run, t: count(run.get("parameters")),
    "multiply_adds": lambda run, t: short(run.get("multiply_adds")),
    "epochs": lambda run, t: count(len(run.epochs["epoch"])),
    "seed": lambda run, t: str(run.seed),
}


def side_by_side(runs: Named, t: Translate) -> SectionValues:
    """A column for each run; the interval of the test accuracy stands under it."""
    rows = {key: [(said(run, t), "") for _, run in runs] for key, said in ROWS.items()}
    rows["test_accuracy"] = [(ROWS["test_accuracy"](run, t), _interval(run)) for _, run in runs]
    return {"names": [name for name, _ in runs], "rows": rows}


def _interval(run: Run) -> str:
    accuracy, n = run.get("test_accuracy"), run.images("test")
    return "" if accuracy is None or n is None else " – ".join(map(percent, wilson(accuracy, n)))


def differences(runs: Named, t: Translate) -> SectionValues:
    """The settings in which the runs differ, and only those."""
    rows = [(key, *values) for key, values in _differing([run for _, run in runs], COMPARED, t)]
    return {"names": [name for name, _ in runs], "rows": rows}


def _differing(runs: Sequence[Run], parts: Sequence[str], t: Translate) -> Iterator[tuple[str, list[str]]]:
    """Settings that are not the same in all runs, in the order of the files, with each run's value."""
    stated = [
        {name: say(value, t) for name, value in flatten({part: getattr(run, part) for part in parts})}
        for run in runs
    ]
    for key in dict.fromkeys(key for settings in stated for key in settings):
        values = [settings.get(key, UNSAID) for settings in stated]
        if len(set(values)) > 1:
            yield key, values


def diagnosis(runs: Named, lang: str) -> SectionValues:
    """The diagnosis, and whether there can be none, for the runs did not see the same data."""
    alone = [run for _, run in runs]
    return {"found": diagnose_runs(alone, lang=lang), "other_data": not comparable(alone)}


def comparable(runs: Sequence[Run]) -> bool:
    """Whether nothing says that the runs saw different data: only then one can be better than the other."""
    return len({str(run.data["fingerprint"]) for run in runs if "fingerprint" in run.data}) < 2


def diagnose_runs(runs: Sequence[Run], *, lang: str = "en") -> Diagnosis | None:
    """Diagnose the worst run against the best.

    By test accuracy, or by validation accuracy while some are unfinished. None for a single run, for runs on
    different data, and if they do not all have such an accuracy, a completed epoch and known classes.
    """
    if not comparable(runs):
        return None
    for on in ("test", "val"):
        courses = [_course(name, run, on) for name, run in zip(names(runs), runs, strict=True)]
        known = [(course, run) for course, run in zip(courses, runs, strict=True) if course is not None]
        if len(known) == len(runs) > 1:
            ranked = sorted(known, key=lambda pair: pair[0].accuracy)
            (worst, worst_run), (best, best_run) = ranked[0], ranked[-1]
            return _cautioned(diagnose(worst, best, lang=lang), worst_run, best_run, translator(lang))
    return None


def _cautioned(found: Diagnosis, worst: Run, best: Run, t: Translate) -> Diagnosis:
    """Say so if the two were trained differently: a run that was merely trained for less looks degraded too."""
    unlike = [key for key, _ in _differing((worst, best), ("recipe",), t) if not key.endswith(".name")]
    if not unlike or found.kind == "no clear difference":
        return found
    return replace(found, sentence=found.sentence + t("unlike", settings=t("comma").join(unlike)))


def commands(runs: Named) -> SectionValues:
    """The command of each run."""
    said = [(name, text) for name, run in runs if (text := command(run))]
    return {"commands": said} if said else None


def _course(name: str, run: Run, on: Any) -> Course | None:
    accuracy = run.get("test_accuracy") if on == "test" else run.last("val_accuracy")
    shares = _shares(run)
    if accuracy is None or not run.epochs["epoch"] or not shares:
        return None
    return Course(
        name=name,
        train_loss=run.epochs["train_loss"],
        train_accuracy=run.epochs["train_accuracy"],
        train_images=run.images("train"),
        accuracy=accuracy,
        images=run.images(on),
        on=on,
        shares=shares,
    )


def _shares(run: Run) -> list[float]:
    """The classes' shares of the test images, equal ones if nobody counted."""
    counts = [item["n"] for item in run.inspection.get("per_class", [])]
    if sum(counts):
        return [n / sum(counts) for n in counts]
    classes = len(run.classes) or run.spec.get("num_classes")
    return [1 / classes] * classes if isinstance(classes, int) and classes > 0 else []

"""The result of an experiment as the report reads it: plain checked values, whoever wrote the file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from residua.errors import ResiduaError, UsageError
from residua.experiments.rules.sample import Sample
from residua.experiments.store import RESULT
from residua.report.charts import LARGEST
from residua.runs.layout import PAGE, is_run
from residua.spec.check import Count, Measured, Positive
from residua.spec.stored import read_stored

CELLS = "runs"  # the folder of the trainings beside the papers' folders; they have a result.json each, too


class _Claim(TypedDict):
    id: str
    text: str
    zh: str | None


class _Trail(TypedDict):
    toward: list[Positive]
    against: list[Positive]
    alike: list[Positive]


class _Effect(TypedDict):
    kind: str
    n: Count
    mean: Measured
    sd: Measured | None
    low: Measured | None
    high: Measured | None
    smallest: Measured | None
    more_seeds: Count | None


class _Check(TypedDict):
    text: str
    status: str
    reason: str
    decides: bool | None  # these three: none in a result of 0.1
    trail: _Trail | None
    effect: _Effect | None


class _Beside(TypedDict):
    source: str
    status: str


class _Row(TypedDict):
    arm: str
    measure: str
    n: Count
    mean: Measured | None
    sd: Measured | None
    published: list[_Beside]


class _Published(_Beside):
    model: str
    key: str
    url: str | None
    arm: str | None


class _Observation(_Beside):
    text: str


class _Misquote(TypedDict):
    claim: str
    truth: str
    status: str
    where_seen: str | None


class _Arm(TypedDict):
    name: str
    model: str | None


class _Stored(TypedDict):
    experiment: str
    title: str
    title_zh: str | None
    claims: list[_Claim]
    where: str
    scale: str
    verdict: str
    reason: str | None
    against: list[Positive] | None
    checks: list[_Check]
    table: list[_Row]
    published: list[_Published]
    observations: list[_Observation]
    misquotes: list[_Misquote]
    caveats: list[str]
    figure: str
    measures: list[str]
    data: dict[str, Any]
    recipe: dict[str, Any] | None
    arms: list[_Arm]
    evidence: dict[str, Any]
    failed: dict[str, Any]
    seeds: Count
    max_seeds: Count
    seconds: Positive
    machine: dict[str, Any]
    command: list[str]


@dataclass(frozen=True)
class Result:
    """What became of an experiment: the values of its ``result.json``, and the curves and seeds in its evidence."""

    path: Path
    values: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    @property
    def page(self) -> Path:
        """Where its page stands."""
        return self.path.parent / PAGE

    @property
    def incomparable(self) -> bool:
        """Whether the published figures are of other data or training than what was measured."""
        return self["scale"] != "paper" and bool(self["recipe"]) and bool(self["table"])

    @property
    def arms(self) -> list[str]:
        """The arms that were measured, in the order of the experiment."""
        return [str(arm) for arm in self["evidence"]]

    def seeds(self, arm: str, measure: str) -> list[float]:
        """A measure of an arm, by seed; only numbers."""
        return [
            value
            for value in (number(seed.get(measure)) for seed in self._seeds(arm))
            if math.isfinite(value)
        ]

    def lists(self, arm: str, measure: str) -> list[list[float]]:
        """A measure of an arm that is a list, by seed; NaN for what is no number in it."""
        found = [seed[measure] for seed in self._seeds(arm) if isinstance(seed.get(measure), list)]
        return [[number(value) for value in values] for values in found]

    def names(self) -> list[str]:
        """Every measure that is a list of any arm."""
        return list(
            dict.fromkeys(
                name
                for arm in self.arms
                for seed in self._seeds(arm)
                for name, value in seed.items()
                if isinstance(value, list)
            )
        )

    def texts(self, measure: str) -> list[str]:
        """A measure that is text, of every arm and seed that has it."""
        found = (seed.get(measure) for arm in self.arms for seed in self._seeds(arm))
        return [value for value in found if isinstance(value, str)]

    def _seeds(self, arm: str) -> Iterator[dict[str, Any]]:
        seeds = self["evidence"].get(arm)
        yield from (
            seed for seed in (seeds.values() if isinstance(seeds, dict) else ()) if isinstance(seed, dict)
        )


def number(value: Any) -> float:
    """A value of JSON as a number; NaN where it is none, or beyond what is drawn."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if abs(value) < LARGEST else math.nan


def over_seeds(lists: list[list[float]]) -> list[Sample | None]:
    """Mean and spread over seeds at each position; None where no seed has a number."""
    longest = max(map(len, lists), default=0)
    columns = (
        [values[i] for values in lists if i < len(values) and math.isfinite(values[i])]
        for i in range(longest)
    )
    return [Sample.of(column) if column else None for column in columns]


def read_result(path: Path) -> Result:
    """Read a ``result.json`` of an experiment. Raises ResiduaError that names the key that is damaged."""
    if "experiment" not in read_stored(path, dict[str, Any]):
        raise ResiduaError(f"{path} is not the result of an experiment: it lacks 'experiment'")
    return Result(path, read_stored(path, _Stored))


def find_results(path: Path) -> list[Path]:
    """The results that a path means: a ``result.json``, its folder, or a folder of many (``--out`` of reproduce).

    Empty if it is something else, such as the folder of a run. Raises UsageError for another file.
    """
    if path.is_file():
        if path.name != RESULT:
            raise UsageError(f"{path} is no {RESULT} of an experiment")
        path = path.parent
    if is_run(path):
        return []  # a run folder
    if (path / RESULT).exists():
        return [path / RESULT]
    below = sorted(found for pattern in ("*", "*/*", "*/*/*") for found in path.glob(f"{pattern}/{RESULT}"))
    return [found for found in below if not _of_a_run(found, path)]


def _of_a_run(result: Path, top: Path) -> bool:
    return CELLS in result.relative_to(top).parts or is_run(result.parent)

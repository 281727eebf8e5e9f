"""Choices that are timed: whether to compile, and with ``--tune`` precision, layout and threads too.

What was timed is remembered (``remembered``), so that a second start chooses as the first one did.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any, Protocol

from residua.errors import ResiduaError
from residua.runs.plan import Plan
from residua.train.cost_model import EAGER, PROBE_STEPS, SECONDS_A_MODULE, quickest, worth_trying
from residua.train.remembered import recall, records, remember

GRAPHS = "with CUDA graphs"


class Steps(Protocol):
    """Steps of the training that is planned, to be timed (``trial.Trial``)."""

    def key(self, plan: Plan) -> dict[str, Any]:
        """Machine, versions, network, batch: what decides seconds, as JSON values."""
        ...

    def modules(self) -> int:
        """How many modules of the network compute something."""
        ...

    def compiles(self, plan: Plan) -> bool:
        """Whether they are of a task whose step is compiled."""
        ...

    def first(self, plan: Plan) -> float:
        """Seconds of the first step, in which it is compiled."""
        ...

    def seconds(self, plans: Mapping[str, Plan], rounds: int = ..., warmup: int = ...) -> dict[str, float]:
        """Seconds of a later step under each plan."""
        ...

    def tell(self, text: str, /) -> None:
        """Say to whoever waits what is done."""
        ...


def compiled_where_it_pays(plan: Plan, scope: str, steps: float, trial: Steps, *, try_anyway: bool) -> Plan:
    """The eager plan, or with ``scope`` compiled where a training of ``steps`` steps then ends earlier.

    ``try_anyway`` times it however short the training is, and whatever is remembered.
    """
    number, key, ways = f"{steps:.0f}", _key(plan, trial), _ways(plan, scope)
    record = recall(key)
    way = (record.get("decided") or {}).get(number)
    if try_anyway or way not in ways:
        try:
            record = _timed(key, ways, steps, trial, anew=try_anyway)
            timed = _has_all(record, ways)
            way = quickest(steps, record["seconds"], record["compiling"]) if timed else EAGER
        except ResiduaError as error:  # what this machine's compiler makes of the network
            way, plan = EAGER, _with(plan, str(error))
        record = remember(key, anew=try_anyway, decided={number: way})
        way = record["decided"][number]
    chosen = ways.get(way, plan).change(reasons=plan.reasons)
    return _with(chosen, _why(record, way, steps, ways))


def tuned(
    plan: Plan,
    asked: Mapping[str, Any],
    open_choices: Mapping[str, list[Any]],
    trial: Steps | None,
    *,
    anew: bool,
) -> Plan:
    """The plan with the quickest of the open choices, timed now (``anew``), or as they were when last timed.

    Choices are timed one after the other, each with those before it made: ``open_choices`` is in that order.
    """
    if trial is None:
        return plan
    key = trial.key(plan) | {"asked": dict(asked)}
    choices = recall(key).get("tuned")
    if anew:
        choices = {name: getattr(plan, name) for name in ("precision", "channels_last", "threads")}
        for name, values in open_choices.items():
            plans = {str(value): plan.change(**choices | {name: value}) for value in values}
            trial.tell(f"timing {name}: {', '.join(plans)}")
            seconds = trial.seconds(plans)
            choices[name] = getattr(plans[min(seconds, key=lambda way: seconds[way])], name)
        choices = remember(key, anew=True, tuned=choices)["tuned"]
    if choices is None:
        return plan
    said = ", ".join(f"{name} {choices[name]}" for name in open_choices)
    return _with(plan.change(**choices), f"the quickest here, timed by --tune: {said}") if said else plan


def _timed(
    key: Mapping[str, Any], ways: Mapping[str, Plan], steps: float, trial: Steps, *, anew: bool
) -> Mapping[str, Any]:
    """The record of a key with what is worth timing for so many steps."""
    record = recall(key)
    if _has_all(record, ways) and not anew:
        return record
    if anew or not (record.get("eager") and record.get("modules")):
        eager = trial.seconds({EAGER: ways[EAGER]}, PROBE_STEPS - 1, 1)[EAGER]
        record = remember(key, anew=anew, eager=eager, modules=trial.modules())
    expected = _expected(key, record["modules"])
    if not anew and not worth_trying(steps, record["eager"], expected):
        return record
    trial.tell(f"finding out whether compiling pays here: about {expected:.0f} s, and remembered")
    others = {way: plan for way, plan in ways.items() if way != EAGER}
    cold = trial.first(next(iter(others.values())))
    compiling = {way: trial.first(plan) for way, plan in others.items()}
    return remember(key, anew=anew, cold=cold, compiling=compiling, seconds=trial.seconds(ways))


def _has_all(record: Mapping[str, Any], ways: Mapping[str, Plan]) -> bool:
    """Whether every way was timed."""
    seconds, compiling = record.get("seconds") or {}, record.get("compiling") or {}
    return {*ways} <= {*seconds} and {*ways} - {EAGER} <= {*compiling}


def _expected(key: Mapping[str, Any], modules: int) -> float:
    """Seconds that compiling a network of so many modules is expected to take: as on this machine before."""
    known = [
        record["cold"] / record["modules"]
        for record in records(key["machine"])
        if record.get("cold") and record.get("modules")
    ]
    return modules * (median(known) if known else SECONDS_A_MODULE)


def _ways(plan: Plan, scope: str) -> dict[str, Plan]:
    ways = {EAGER: plan, scope: plan.change(compile=scope)}
    if plan.device != "cpu" and scope == "network":
        ways[f"{scope} {GRAPHS}"] = plan.change(compile=scope, cuda_graphs=True)
    return ways


def _key(plan: Plan, trial: Steps) -> dict[str, Any]:
    made = ("precision", "channels_last", "threads", "tf32", "memory")
    return trial.key(plan) | {name: getattr(plan, name) for name in made}


def _why(record: Mapping[str, Any], way: str, steps: float, ways: Mapping[str, Plan]) -> str:
    said = "not compiled" if way == EAGER else f"compiled: {way}"
    if not _has_all(record, ways):
        eager = record.get("eager")
        about = "" if not eager else f" of {eager:.2g} s"
        return f"{said}: {steps:.0f} steps{about} are too few to find out whether it pays"
    seconds, compiling = record["seconds"], record["compiling"]
    best = min({*ways} - {EAGER}, key=lambda other: seconds[other])
    return (
        f"{said}: timed here, a step takes {seconds[EAGER]:.2g} s eager and {seconds[best]:.2g} s compiled, "
        f"and compiling {compiling[best]:.2g} s"
    )


def _with(plan: Plan, reason: str) -> Plan:
    return plan.change(reasons=(*plan.reasons, reason))

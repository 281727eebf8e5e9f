"""Equal cost: the second network is made wider or narrower (or deeper, where it has no width) until it costs the same.

Parameters and multiply-adds are counted, steps are timed: forward, backward and the optimiser's step on one batch, one
thread, not compiled, the two networks in turns.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from residua.analysis.cost import totals
from residua.data import AnyData
from residua.errors import ResiduaError
from residua.nn import place
from residua.registry import build
from residua.spec import ModelSpec, Recipe, Spec
from residua.timing import compare as take_turns
from residua.train.plan import Request, applied, make_plan
from residua.train.task import make_task

Match = Literal["none", "params", "macs", "time"]
Measure = Callable[[ModelSpec], float]  # cost of the second network over that of the first

WORDS: dict[Match, str] = {"params": "parameters", "macs": "multiply-adds", "time": "step time"}
# a time is less sure than a count
TOLERANCE: dict[Match, float] = {"params": 0.05, "macs": 0.05, "time": 0.1}

# every field of a spec that is a number of channels, or several
_WIDTHS = (
    "widths",
    "width",
    "stem_width",
    "path_width",
    "growth_rate",
    "hidden",
    "generator",
    "discriminator",
)
_DEPTHS = ("depths", "layers", "blocks")
_DIVISORS = ("heads", "groups")  # fields that must divide a width
_COARSE = [2 ** (k / 4) for k in range(-16, 17)]
_FINE = [2 ** (k / 64) for k in range(-16, 17)]
_TURNS = 6  # corrections of a width by its measured time


@dataclass(frozen=True, kw_only=True)
class Matched:
    """How the second network was made to cost as much as the first."""

    by: Match
    what: str  # was changed: "width", "depth" or "nothing"
    factor: float
    changes: dict[str, Any]  # fields of the spec
    ratio: float  # of the costs, second over first


def cost_of(spec: ModelSpec, data: AnyData) -> dict[str, int]:
    """``parameters`` and ``multiply_adds`` of one sample. Raises ResiduaError where the network refuses it."""
    return dict(zip(("parameters", "multiply_adds"), totals(spec, spec.input_shape(data.shape)), strict=True))


def match_cost(
    a: ModelSpec, b: ModelSpec, by: Match, data: AnyData, recipe: Recipe, device: str
) -> tuple[ModelSpec, Matched]:
    """``b`` at the cost of ``a``, and how. Raises ResiduaError, with what came nearest, if that cannot be."""
    counted: Match = "macs" if by == "time" else by
    ratio = _counted(a, counted, data)
    nearest: list[Matched] = []
    for what, names in (("width", _WIDTHS), ("depth", _DEPTHS)):
        if not numbers(b, names):
            continue
        spec, factor = _search(b, names, ratio)
        share = ratio(spec)
        if by == "time":
            spec, factor, share = _by_time(a, b, names, factor, data, recipe, device)
        before = numbers(b, names)
        changes = {name: value for name, value in numbers(spec, names).items() if value != before[name]}
        what = what if changes else "nothing"
        nearest.append(Matched(by=by, what=what, factor=factor, changes=changes, ratio=share))
        if abs(share - 1) <= TOLERANCE[by]:
            return spec, nearest[-1]
    if not nearest:
        raise ResiduaError(
            f"{b.name} cannot be matched: a {b.family} has neither a width nor a depth to change"
        )
    best = min(nearest, key=lambda one: abs(math.log(one.ratio)))
    told = ", ".join(f"{key} {value}" for key, value in best.changes.items()) or "as it is"
    raise ResiduaError(
        f"{b.name} cannot be matched to {a.name}: the nearest has {best.ratio:.3g} times its {WORDS[by]} ({told}), and "
        f"{TOLERANCE[by]:.0%} is the most that they may differ by"
    )


def _counted(a: ModelSpec, by: Match, data: AnyData) -> Measure:
    name = "parameters" if by == "params" else "multiply_adds"
    target = cost_of(a, data)[name]
    return lambda spec: cost_of(spec, data)[name] / target


def _search(spec: ModelSpec, names: Sequence[str], ratio: Measure) -> tuple[ModelSpec, float]:
    """The factor whose cost is nearest: coarse steps, then fine ones around the best; 1 where nothing is nearer."""
    seen: dict[str, float] = {}

    def away(factor: float) -> float:
        try:
            candidate = scaled(spec, names, factor)
            key = repr(candidate)
            if key not in seen:
                with (
                    warnings.catch_warnings()
                ):  # of layers that very narrow networks would leave without channels
                    warnings.simplefilter("ignore")
                    seen[key] = abs(math.log(ratio(candidate)))
            return seen[key]
        except (ResiduaError, ValueError, RuntimeError):  # a width that the network cannot have
            return math.inf

    best = min([1.0, *_COARSE], key=away)
    best = min([1.0, best, *(best * step for step in _FINE)], key=away)
    return scaled(spec, names, best), best


def numbers(spec: Spec, names: Sequence[str], prefix: str = "") -> dict[str, Any]:
    """What the fields of these names hold, in the spec and in its parts (``unit.path_width``)."""
    found: dict[str, Any] = {}
    for name in spec.fields():
        value = getattr(spec, name)
        if isinstance(value, Spec):
            found |= numbers(value, names, f"{prefix}{name}.")
        elif name in names and value is not None:
            found[prefix + name] = list(value) if isinstance(value, tuple) else value
    return found


def scaled(spec: ModelSpec, names: Sequence[str], factor: float) -> ModelSpec:
    """``spec`` with the numbers in the fields ``names`` times ``factor``, in multiples of what must divide them."""
    found = numbers(spec, names)
    step = math.lcm(*(numbers(spec, _DIVISORS).values() if "width" in found else ()))

    def times(value: int | Sequence[int]) -> int | list[int]:
        if isinstance(value, int):
            return max(round(value * factor / step), 1) * step
        return [max(round(one * factor / step), 1) * step for one in value]

    changes = {name: times(value) for name, value in found.items()}
    return spec if factor == 1 else spec.change(**changes)


def _by_time(
    a: ModelSpec,
    b: ModelSpec,
    names: Sequence[str],
    factor: float,
    data: AnyData,
    recipe: Recipe,
    device: str,
) -> tuple[ModelSpec, float, float]:
    """The spec whose measured step takes as long, sought from equal multiply-adds on; its factor and ratio of times."""
    power = 2 if names is _WIDTHS else 1  # time is about quadratic in width
    tried: dict[ModelSpec, tuple[float, float]] = {}
    for _ in range(_TURNS):
        spec = scaled(b, names, factor)
        if spec in tried:
            break
        tried[spec] = (factor, step_ratio(a, spec, data, recipe, device))
        if abs(tried[spec][1] - 1) < TOLERANCE["time"] / 4:
            break
        factor /= tried[spec][1] ** (1 / power)
    spec = min(tried, key=lambda one: abs(math.log(tried[one][1])))
    return spec, *tried[spec]


def step_ratio(a: ModelSpec, b: ModelSpec, data: AnyData, recipe: Recipe, device: str) -> float:
    """Seconds of a training step of ``b`` over those of ``a``: the median of turns in one run."""
    steps = {name: _step(spec, data, recipe, device) for name, spec in (("a", a), ("b", b))}
    with applied(steps["a"][1]):
        timed = take_turns({name: step for name, (step, _) in steps.items()}, rounds=9, min_seconds=0.1)
    return 1 / timed.speedup("b").median


def _step(spec: ModelSpec, data: AnyData, recipe: Recipe, device: str) -> tuple[Callable[[], object], Any]:
    network = build(spec)
    plan = make_plan(Request(device=device, threads=1, compile="off"), network, 0, 0)
    task = make_task(place(network, plan.device, plan.memory_format), recipe, plan, data)
    for optimizer in task.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = 0.0  # the same step again and again
    batches = data.train_batches(
        recipe, seed=0, device=plan.device, memory_format=plan.memory_format, limit=1
    )
    batch = next(iter(batches.epoch(0)))
    return lambda: task.step(batch, 0.0), plan

"""Steps of a training on scratch copies, timed before its first one: what each way of computing them takes here."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from residua.data import AnyData
from residua.nn import place
from residua.runs.plan import Plan
from residua.spec import Recipe
from residua.timing import compare, once
from residua.train.plan import applied
from residua.train.supervised import Supervised
from residua.train.task import make_task

_ROUNDS = 5  # of ways in turns
# of a recipe: what a step takes as long with, whatever it is
_NO_MATTER = (
    *("schema", "name", "epochs", "iterations", "log_every", "backoff", "patience"),
    *("lr", "weight_decay", "schedule", "warmup", "warmup_factor", "warmup_shape"),
)


class Trial:
    """A network, a recipe and data, none of which a trial changes.

    Args:
        network: it is copied.
        recipe: optimiser, batch, augmentation.
        data: its first training batch is the one that every step takes.
        tell: is told what is done, where it takes long.

    """

    def __init__(self, network: Any, recipe: Recipe, data: AnyData, tell: Callable[[str], None]) -> None:
        self._network, self._recipe, self._data, self.tell = network, recipe, data, tell

    def key(self, plan: Plan) -> dict[str, Any]:
        """What decides the seconds of a step: machine and versions, network and shapes, what it learns with."""
        recipe = self._recipe.to_dict()
        return {
            "machine": {
                name: getattr(plan, name) for name in ("torch", "instruction_set", "processor", "device")
            },
            "model": self._network.spec.to_dict(),
            "shape": list(self._data.shape),
            "data": self._data.kind,
            "recipe": {name: value for name, value in recipe.items() if name not in _NO_MATTER},
        }

    def modules(self) -> int:
        """How many modules of the network compute something: what compiling it takes grows with them."""
        return sum(1 for module in self._network.modules() if not next(module.children(), None))

    def compiles(self, plan: Plan) -> bool:
        """Whether its step is one that is compiled."""
        task = make_task(copy.deepcopy(self._network), self._recipe, plan, self._data)
        return isinstance(task, Supervised) and task.compiles

    def first(self, plan: Plan) -> float:
        """Seconds of the first step under a plan, in which it is compiled."""
        torch.compiler.reset()
        with _aside():
            return once(self._stepper(plan))[1]

    def seconds(self, plans: Mapping[str, Plan], rounds: int = _ROUNDS, warmup: int = 2) -> dict[str, float]:
        """Seconds of a step under each plan, in turns; the median."""
        with _aside():
            steppers = {name: self._stepper(plan) for name, plan in plans.items()}
            comparison = compare(steppers, rounds=rounds, warmup=warmup, min_seconds=0)
        return {name: comparison.median(name) for name in plans}

    def _stepper(self, plan: Plan) -> Callable[[], object]:
        network = place(copy.deepcopy(self._network), plan.device, plan.memory_format)
        task = make_task(network, self._recipe, plan, self._data)
        placed = {"device": plan.device, "memory_format": plan.memory_format, "limit": 1}
        batches = self._data.train_batches(self._recipe, seed=0, **placed).epoch(0)
        batch = next(iter(batches))
        return partial(_step, task, batch, plan)


def _step(task: Any, batch: Any, plan: Plan) -> None:
    with applied(plan):
        task.step(batch, 0.0)


def _aside() -> Any:
    """Draws of a trial are no draws of the training."""
    return torch.random.fork_rng(devices=range(torch.cuda.device_count()))

"""The means of a training's weights: kept beside the networks, and put into them where they are measured or kept."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from residua.errors import ResiduaError
from residua.runs.checkpoint import load_averages
from residua.spec import Averaging
from residua.train.seeding import seed_torch
from residua.train.task import Batches, Recounting, Task


class Averages:
    """One mean for each tensor of floating point, batch statistics among them, of the networks that learn.

    Without an ``averaging`` there is none, and nothing happens. Values are copied, never exchanged: compiled code and
    optimisers know the networks' tensors by their addresses.
    """

    def __init__(
        self, task: Task, averaging: Averaging | None, batches: Batches, *, total_steps: int, seed: int
    ) -> None:
        self._task, self._averaging, self._batches, self._seed = task, averaging, batches, seed
        self._lengths = total_steps, batches.steps_per_epoch
        networks = {} if averaging is None else _learning(task)
        self._state = {
            f"{name}.{key}": value
            for name, network in networks.items()
            for key, value in network.state_dict().items()
        }
        self._values = {name: value for name, value in self._state.items() if value.is_floating_point()}
        self.tensors = {name: value.clone() for name, value in self._values.items()}  # as <network>.<key>

    def load(self, checkpoint: Path) -> None:
        """Take the means of a checkpoint; where it has none, they begin with the weights of the networks.

        Raises ResiduaError for those of other networks.
        """
        if self._averaging is None:
            return
        found = load_averages(checkpoint) or self._values
        shapes = [{name: value.shape for name, value in means.items()} for means in (found, self.tensors)]
        if shapes[0] != shapes[1]:
            raise ResiduaError(f"{checkpoint} does not fit the averaging of this run")
        for name, value in self.tensors.items():
            value.copy_(found[name])

    def update(self, step: int) -> None:
        """Let the weights after ``step`` steps enter the means, as far as the averaging says."""
        if self._averaging is None or not (share := self._averaging.share(step, *self._lengths)):
            return
        means, values = list(self.tensors.values()), list(self._values.values())
        get_ema_multi_avg_fn(decay=1 - share)(means, values, 1)
        if self._averaging.goes_on:
            self._copy()

    def put(self, step: int) -> None:
        """Give the networks the means, if there are any after ``step`` steps, and batch statistics that suit them."""
        if self._averaging is None or step < max(self._averaging.first(*self._lengths), 1):
            return
        self._copy()
        if (count := self._averaging.recounted()) and isinstance(self._task, Recounting):
            seed_torch(self._seed, "recount", step)
            epoch = (step - 1) // self._batches.steps_per_epoch
            self._task.recount(itertools.islice(self._batches.epoch(epoch), count))

    @contextmanager
    def lent(self, step: int) -> Iterator[None]:
        """While open, the networks are as ``put`` leaves them; afterwards as they were, to the bit."""
        before = [(value, value.clone()) for value in self._state.values()]
        try:
            self.put(step)
            yield
        finally:
            for value, old in before:
                value.copy_(old)

    def _copy(self) -> None:
        for name, value in self._values.items():
            value.copy_(self.tensors[name])


def _learning(task: Task) -> dict[str, nn.Module]:
    """The networks that the optimisers of a task train; a judge of what they make is none of them."""
    groups = [group for one in task.optimizers.values() for group in one.param_groups]
    learning = {id(parameter) for group in groups for parameter in group["params"]}
    return {
        name: network
        for name, network in task.networks.items()
        if any(id(parameter) in learning for parameter in network.parameters())
    }

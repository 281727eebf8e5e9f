"""Checkpoints: one safetensors file with every tensor of the training, and the rest as JSON in its header.

One file, replaced by one rename: a checkpoint is whole or it is the one before. Nothing is pickled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from residua.errors import ResiduaError
from residua.runs.intact import naming_what_is_intact
from residua.runs.logs import Mark
from residua.runs.optimizer_state import load_state_tensors, state_tensors
from residua.weights.model_files import read_tensors, save_tensors, say_not_finite

PREFIX = "networks.model."  # where the model of a classification stands in a checkpoint


@dataclass
class State:
    """Where a training stands. Learning rate, order of the images and random draws all follow from ``step``."""

    step: int = 0
    epochs_closed: int = 0  # epochs whose end (validation, log line) is done
    sums: dict[str, float] = field(default_factory=dict)  # of the epoch under way
    best: float | None = None  # the primary metric's best value
    best_epoch: int | None = None
    last_epoch: dict[str, Any] = field(default_factory=dict)  # the last epoch's line of metrics.jsonl
    logs: dict[str, list[Mark]] = field(default_factory=dict)  # by name, what of each belongs to this state
    seconds: float = 0.0  # of training, over all sessions


class Training(Protocol):
    """What of a training a checkpoint keeps: every network and every optimiser, by name."""

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Every network, by name."""
        ...

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Every optimiser, by name."""
        ...


def save_checkpoint(path: Path, task: Training, state: State, about: Mapping[str, Any]) -> None:
    """Write the whole training to ``path``, atomically."""
    tensors = network_tensors(task)
    for name, optimizer in task.optimizers.items():
        tensors |= {f"optimizers.{name}.{key}": value for key, value in state_tensors(optimizer).items()}
    save_tensors(path, tensors, {"schema": 1, "state": asdict(state), "model_prefix": PREFIX, **about})


def network_tensors(task: Training) -> dict[str, Tensor]:
    """The tensors of a task's networks as ``networks.<network>.<key>``."""
    return {
        f"networks.{name}.{key}": value
        for name, network in task.networks.items()
        for key, value in network.state_dict().items()
    }


def load_checkpoint(path: Path, task: Training) -> State:
    """Put a training back where the checkpoint left it.

    Raises ResiduaError for a damaged or foreign file, with the run's weights that are intact. A network that is not
    finite any more is put back too: that is said by the logger ``residua``.
    """
    with naming_what_is_intact(path.parents[1]):
        tensors, about = read_tensors(path)
    say_not_finite(str(path), tensors)
    state = read_state(path, about)
    for name, network in task.networks.items():
        try:
            network.load_state_dict(_under(tensors, f"networks.{name}."))
        except RuntimeError as error:
            raise ResiduaError(f"{path} does not fit the network of this run") from error
    for name, optimizer in task.optimizers.items():
        try:
            load_state_tensors(optimizer, _under(tensors, f"optimizers.{name}."))
        except (IndexError, ValueError) as error:
            raise ResiduaError(f"{path} does not fit the optimiser of this run") from error
    return state


def read_state(path: Path, about: Mapping[str, Any]) -> State:
    """The state in the header of the checkpoint at ``path``. Raises ResiduaError if that has none of this version."""
    try:
        return _state(dict(about["state"]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ResiduaError(f"{path} is not a training checkpoint of this version") from error


def _state(values: dict[str, Any]) -> State:
    """The state of plain JSON values. Raises TypeError or ValueError if they are not of its types."""
    if "offsets" in values:  # version 0.1 knew the lengths of the logs
        values["logs"] = {name: [(size, None)] for name, size in values.pop("offsets").items()}
    state = State(**values)
    state.logs = {name: [(size, digest) for size, digest in marks] for name, marks in state.logs.items()}
    marks = [mark for log in state.logs.values() for mark in log]
    counts = (state.step, state.epochs_closed, *(size for size, _ in marks))
    numbers = (state.seconds, *state.sums.values(), *([] if state.best is None else [state.best]))
    if (
        any(type(count) is not int or count < 0 for count in counts)
        or any(type(number) not in (int, float) or not math.isfinite(number) for number in numbers)
        or any(not isinstance(digest, str | None) for _, digest in marks)
        or not all(state.logs.values())
        or not isinstance(state.last_epoch, dict)
    ):
        raise TypeError("a value is of a wrong type")
    return state


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

"""Checkpoints: one safetensors file with every tensor of the training, and the rest as JSON in its header.

One file, replaced by one rename: a checkpoint is whole or it is the one before. Nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from residua.errors import ResiduaError, UsageError
from residua.runs.intact import naming_what_is_intact
from residua.runs.logs import Marks
from residua.runs.optimizer_state import load_state_tensors, state_tensors
from residua.spec.check import Count, check
from residua.weights.model_files import read_tensors, save_tensors, say_not_finite

PREFIX = "networks.model."  # where the model of a classification stands in a checkpoint
AVERAGES = "averages."  # and the means of the weights, as <network>.<key>


@dataclass
class State:
    """Where a training stands. Learning rate, order of the images and random draws all follow from ``step``."""

    step: Count = 0
    epochs_closed: Count = 0  # epochs whose end (validation, log line) is done
    sums: dict[str, float] = field(default_factory=dict)  # of the epoch under way
    best: float | None = None  # the primary metric's best value
    best_epoch: int | None = None
    waited: Count = 0  # epochs since then, or since the training was extended
    backoffs: Count = 0  # how often it went back to a good epoch, with lower rates
    last_epoch: dict[str, Any] = field(default_factory=dict)  # the last epoch's line of metrics.jsonl
    logs: dict[str, Marks] = field(default_factory=dict)  # by name, what of each belongs to this state
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


def save_checkpoint(
    path: Path,
    task: Training,
    state: State,
    about: Mapping[str, Any],
    averages: Mapping[str, Tensor] | None = None,
) -> None:
    """Write the whole training to ``path``, atomically; with ``averages``, the means of its weights by name."""
    tensors = network_tensors(task)
    tensors |= {f"{AVERAGES}{key}": value for key, value in (averages or {}).items()}
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
    _load_networks(path, tensors, task)
    for name, optimizer in task.optimizers.items():
        try:
            load_state_tensors(optimizer, _under(tensors, f"optimizers.{name}."))
        except (IndexError, ValueError) as error:
            raise ResiduaError(f"{path} does not fit the optimiser of this run") from error
    return state


def load_averages(path: Path) -> dict[str, Tensor]:
    """The means of the weights in a checkpoint, by name; empty where it has none. Raises as ``load_checkpoint``."""
    with naming_what_is_intact(path.parents[1]):
        return _under(read_tensors(path)[0], AVERAGES)


def load_networks(path: Path, task: Training) -> None:
    """Give the networks the weights of a file of the run, such as the best ones. Raises as ``load_checkpoint``."""
    with naming_what_is_intact(path.parents[1]):
        tensors, _ = read_tensors(path)
    _load_networks(path, tensors, task)


def _load_networks(path: Path, tensors: Mapping[str, Tensor], task: Training) -> None:
    for name, network in task.networks.items():
        try:
            network.load_state_dict(_under(tensors, f"networks.{name}."))
        except RuntimeError as error:
            raise ResiduaError(f"{path} does not fit the network of this run") from error


def read_state(path: Path, about: Mapping[str, Any]) -> State:
    """The state in the header of the checkpoint at ``path``. Raises ResiduaError if that has none of this version."""
    state = about.get("state")
    if isinstance(state, dict) and isinstance(
        state.get("offsets"), dict
    ):  # version 0.1 knew the logs' lengths only
        logs = {name: [(size, None)] for name, size in state["offsets"].items()}
        state = {**{key: value for key, value in state.items() if key != "offsets"}, "logs": logs}
    try:
        return check(state, State, "its state")
    except UsageError as error:
        raise ResiduaError(f"{path} is not a training checkpoint of this version: {error}") from error


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

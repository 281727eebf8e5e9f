"""The ways through a network, by its structure (Veit et al. 2016, sec. 3): how many of each length, and a random one.

Each unit is a fork: its shortcut, or its branch, which makes the way longer by one. Ways are counted by polynomials,
whose coefficient k is the number of ways of length k: modules one after the other multiply theirs, a unit has
P(shortcut) + z P(branch). Counts are Python's whole numbers, exact however many ways there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from residua.analysis.unit_parts import kind_of
from residua.analysis.untouched import predicting, untouched
from residua.errors import UsageError
from residua.nn import Chain, ImageClassifier, Residual, Transformer, residual_units
from residua.nn.gan import GANPair

Polynomial = tuple[int, ...]
Way = dict[str, bool]  # for the units that it meets: whether it takes the branch

# these run their children one after the other, whatever they are
_IN_SERIES = tuple(kind.forward for kind in (nn.Sequential, Chain, ImageClassifier, Transformer, GANPair))


class Ways(ABC):
    """Part of a network, as ways through it."""

    lengths: Polynomial  # the number of ways of length k, at index k

    @abstractmethod
    def draw(self, length: int, random: Random) -> Way:
        """One of the ways of a length, each as likely as the others; there must be one."""


@dataclass(frozen=True)
class InSeries(Ways):
    """Parts one after the other; no parts, for what holds no units: one way, of length 0."""

    parts: tuple[Ways, ...] = ()

    @cached_property
    def _rest(self) -> list[Polynomial]:
        """Of the parts from each one on, and of none."""
        found: list[Polynomial] = [(1,)]
        for part in reversed(self.parts):
            found.append(_product(part.lengths, found[-1]))
        return found[::-1]

    @property
    def lengths(self) -> Polynomial:  # type: ignore[override]  # a field there, computed here
        """See Ways."""
        return self._rest[0]

    def draw(self, length: int, random: Random) -> Way:
        """See Ways."""
        way: Way = {}
        for part, rest in zip(self.parts, self._rest[1:], strict=True):
            ways = [
                count * (rest[length - k] if 0 <= length - k < len(rest) else 0)
                for k, count in enumerate(part.lengths)
            ]
            taken = _choose(ways, random)
            way |= part.draw(taken, random)
            length -= taken
        return way


@dataclass(frozen=True)
class Fork(Ways):
    """A unit; without a shortcut, if it is plain."""

    unit: str
    shortcut: Ways | None
    branch: Ways

    @cached_property
    def lengths(self) -> Polynomial:  # type: ignore[override]  # a field there, computed here
        """See Ways."""
        short = self.shortcut.lengths if self.shortcut else ()
        long = (0, *self.branch.lengths)
        return tuple(
            (short[k] if k < len(short) else 0) + (long[k] if k < len(long) else 0)
            for k in range(max(len(short), len(long)))
        )

    def draw(self, length: int, random: Random) -> Way:
        """See Ways."""
        short = self.shortcut.lengths if self.shortcut else ()
        ways = [short[length] if length < len(short) else 0, self.lengths[length]]
        if self.shortcut and random.randrange(ways[1]) < ways[0]:
            return {self.unit: False} | self.shortcut.draw(length, random)
        return {self.unit: True} | self.branch.draw(length - 1, random)


def ways_through(model: nn.Module, example: Tensor | None = None) -> Ways:
    """The ways through ``model``.

    Sequentials, chains and the networks of residua are known to run their children one after the other. Any other
    module that holds units is run on ``example``, an input ``(N, ...)`` of the model: its units are in series if each
    depends on its input only through the one before. Raises UsageError where they are not, and without an example.
    """
    return _of(model, "", model, example)


def _of(module: nn.Module, name: str, model: nn.Module, example: Tensor | None) -> Ways:
    inside = f"{name}." if name else ""
    if isinstance(module, Residual):
        shortcut = None
        if kind_of(module) == "residual":
            shortcut = _of(module.shortcut, f"{inside}shortcut", model, example)
        fork = Fork(name, shortcut, _of(module.branch, f"{inside}branch", model, example))
        after = _of(module.activation, f"{inside}activation", model, example)
        return InSeries((fork, after)) if after.lengths != (1,) else fork
    if not residual_units(module):
        return InSeries()
    if type(module).forward in _IN_SERIES:
        children = [
            key for key, child in module._modules.items() if child is not None and residual_units(child)
        ]
    else:
        children = _met(module, name, model, example)
    parts = (_of(module.get_submodule(child), inside + child, model, example) for child in children)
    return InSeries(tuple(parts))


def _product(a: Polynomial, b: Polynomial) -> Polynomial:
    found = [0] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            found[i + j] += x * y
    return tuple(found)


def _choose(ways: Sequence[int], random: Random) -> int:
    place = random.randrange(sum(ways))
    for index, count in enumerate(ways):
        if place < count:
            return index
        place -= count
    raise AssertionError


def _met(module: nn.Module, name: str, model: nn.Module, example: Tensor | None) -> list[str]:
    """The outermost units of a module in the order in which its input meets them, if that is a series."""
    what = f"{type(module).__name__} ({name})" if name else type(module).__name__
    if example is None:
        raise UsageError(
            f"how {what} connects its residual units can only be found out with an example input"
        )
    args, context = _input_of(module, model, example)
    outermost = {
        key: unit
        for key, unit in residual_units(module).items()
        if not any(isinstance(module.get_submodule(above), Residual) for above in _ancestors(key))
    }
    # each unit's output is made a fresh start: what depends on an earlier one has gone round the unit
    met: list[str] = []
    starts = [args[0].detach().clone()]
    starts[0].requires_grad_(starts[0].is_floating_point())
    values: list[Any] = []
    with predicting(model), untouched(model) as handles, torch.enable_grad():
        for key, unit in outermost.items():

            def enter(_: nn.Module, args: tuple[Any, ...], key: str = key) -> None:
                met.append(key)
                # its own tensor: an activation in place may change the value later
                values.append(args[0].view_as(args[0]))

            def leave(_: nn.Module, __: Any, output: Tensor) -> Tensor:
                starts.append(output.detach().clone().requires_grad_())
                return starts[-1].clone()

            handles.append(unit.register_forward_pre_hook(enter))
            handles.append(unit.register_forward_hook(leave))
        values.append(module(starts[0], *args[1:], **context))
    for index, value in enumerate(values):
        if not isinstance(value, Tensor) or not _only_through(value, starts[: index + 1]):
            raise UsageError(
                f"the residual units of {what} do not stand one after the other: their ways have no length"
            )
    return met


def _input_of(module: nn.Module, model: nn.Module, example: Tensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if module is model:
        return (example,), {}
    caught: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def catch(_: nn.Module, args: tuple[Any, ...], context: dict[str, Any]) -> None:
        caught.append((args, context))

    with predicting(model), untouched(model) as handles, torch.no_grad():
        handles.append(module.register_forward_pre_hook(catch, with_kwargs=True))
        model(example)
    if not caught or not isinstance(caught[0][0][0], Tensor):
        raise UsageError(f"{type(module).__name__} holds residual units and is not used on a tensor")
    return caught[0]


def _ancestors(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _only_through(value: Tensor, starts: Sequence[Tensor]) -> bool:
    """Whether ``value`` depends on the last of ``starts`` and on none before it."""
    wanted = [start for start in starts if start.requires_grad]
    if not wanted or not value.requires_grad:
        return len(starts) == 1  # of whole numbers nothing can be asked before the first unit
    found = torch.autograd.grad(value.sum(), wanted, retain_graph=True, allow_unused=True)
    return found[-1] is not None and not any(grad is not None for grad in found[:-1])

"""What can be cut out of a network or change places in it: its residual units, or the layers of a net without any.

Veit et al. 2016 (sec. 4.1) set residual units beside the layers of a VGG. Those are no units, and nothing goes round
them: a layer is a convolution with the norm and the activation that follow it in the same Sequential.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from residua.analysis.unit_parts import kind_of
from residua.analysis.untouched import predicting, untouched
from residua.errors import UsageError
from residua.nn import Chain, residual_units

SiteKind = Literal["residual", "plain", "layer"]

_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm)
_ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Hardswish, nn.Sigmoid, nn.Tanh)
_IN_ORDER = (nn.Sequential.forward, Chain.forward)  # these run their children one after the other


@dataclass(frozen=True, kw_only=True)
class Site:
    """A unit or a layer; shapes are without the batch dimension."""

    name: str  # of the unit; of the layer's convolution
    kind: SiteKind  # "layer": in no unit
    parts: tuple[str, ...]  # its modules, one after the other; a unit is one
    input: tuple[int, ...]
    output: tuple[int, ...]

    @property
    def can_go(self) -> bool:
        """Whether the network still runs without it: it has a shortcut, or keeps the shape and can be bypassed."""
        return self.kind == "residual" or self.input == self.output

    def swaps_with(self, other: Site) -> bool:
        """Whether the two can change places: shapes and number of modules are alike, and none holds the other."""
        ours, theirs = f"{self.name}.", f"{other.name}."
        apart = not ours.startswith(theirs) and not theirs.startswith(ours)
        alike = (self.input, self.output, len(self.parts)) == (other.input, other.output, len(other.parts))
        return apart and alike


def layers(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """Every convolution that stands in a Sequential and in no unit, with its norm and activation: names of modules."""
    units = tuple(f"{name}." for name in residual_units(model))
    found: dict[str, tuple[str, ...]] = {}
    for name, module in model.named_modules():
        if type(module).forward in _IN_ORDER and not f"{name}.".startswith(units):
            prefix = f"{name}." if name else ""
            for group in _groups(module):
                found[prefix + group[0]] = tuple(prefix + part for part in group)
    return found


def _groups(sequence: nn.Module) -> Iterator[list[str]]:
    group: list[str] = []
    follow: tuple[tuple[type, ...], ...] = ()  # what may come next in the group
    for name, module in sequence.named_children():
        place = next((i for i, kinds in enumerate(follow) if isinstance(module, kinds)), None)
        if place is not None:
            group.append(name)
            follow = follow[place + 1 :]
            continue
        if group:
            yield group
        group, follow = ([name], (_NORMS, _ACTIVATIONS)) if isinstance(module, _CONVS) else ([], ())
    if group:
        yield group


def sites(model: nn.Module, images: Tensor) -> list[Site]:
    """The units of ``model``, or its layers if it has none, in the order in which ``images`` ``(N, ...)`` meet them.

    Raises UsageError if it has neither.
    """
    units = residual_units(model)
    parts = {name: (name,) for name in units} or layers(model)
    shapes: dict[str, list[tuple[int, ...]]] = {}

    def entered(name: str, _: nn.Module, args: Any) -> None:
        shapes.setdefault(name, [tuple(args[0].shape[1:])])

    def left(name: str, _: nn.Module, __: Any, output: Tensor) -> None:
        shapes[name].append(tuple(output.shape[1:]))

    with predicting(model), untouched(model) as handles, torch.no_grad():
        for name, modules in parts.items():
            handles.append(model.get_submodule(modules[0]).register_forward_pre_hook(partial(entered, name)))
            handles.append(model.get_submodule(modules[-1]).register_forward_hook(partial(left, name)))
        model(images[:1])
    if not shapes:
        raise UsageError(
            f"{type(model).__name__} has no residual units, and no convolution in a Sequential that could be bypassed"
        )
    return [
        Site(
            name=name,
            kind=kind_of(units[name]) if units else "layer",
            parts=parts[name],
            input=shape[0],
            output=shape[1],
        )
        for name, shape in shapes.items()
    ]

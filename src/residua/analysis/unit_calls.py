"""How a forward pass went through the units of a network, in float64: what each got and gave, and which are in a row.

Formulas about units (the product of Jacobians, the telescoped sum) hold exactly or fail exactly: rounding must not
blur the difference, so they are checked on a copy of the network in float64, in evaluation mode.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.analysis.unit_parts import Kind, added, branch_of, by_image, kind_of
from residua.errors import ResiduaError, UsageError
from residua.nn import Residual, residual_units


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitCall:
    """One pass through a unit. ``follows`` says that its input is the very output of the call before it."""

    name: str
    unit: Residual
    context: dict[str, Any]
    follows: bool
    x: Tensor  # (N, ...): what the unit got
    y: Tensor  # (N, ...): what it gave
    x_grad: Tensor  # the gradient of the mean cross entropy at x
    y_grad: Tensor  # and at y

    @property
    def kind(self) -> Kind:
        """Residual or plain."""
        return kind_of(self.unit)

    @property
    def keeps_shape(self) -> bool:
        """Whether what the unit gives has the shape of what it gets."""
        return self.x.shape == self.y.shape

    @property
    def sample(self) -> Tensor:
        """What the unit got of the first image: ``(1, ...)``, or a row for each of its streams."""
        return self.x[: self.unit.merge.streams]

    def worst_error(self, found: Tensor, expected: Tensor) -> float:
        """``relative_errors`` of values at this unit, of the worst image."""
        return float(relative_errors(*(by_image(self.unit, values) for values in (found, expected))).max())

    def branch(self, x: Tensor) -> Tensor:
        """F(x), see ``branch_of``."""
        return branch_of(self.unit, x, self.context)

    def added(self, x: Tensor) -> Tensor:
        """What the branch adds at x, see ``added``: F(x) where the merge is ``shortcut + branch``."""
        return added(self.unit, x, self.unit.shortcut(x), self.branch(x))


def exact_copy(model: nn.Module) -> nn.Module:
    """A frozen copy in float64 and evaluation mode, without hooks. Raises ResiduaError if it cannot be made."""
    try:
        copied = copy.deepcopy(model).double().eval().requires_grad_(False)
    except (RuntimeError, TypeError, ValueError) as error:
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ResiduaError(f"cannot copy {type(model).__name__} to look inside it: {line}") from error
    for module in copied.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    return copied


def classification_loss(logits: Any, labels: Tensor) -> Tensor:
    """The mean cross entropy of logits ``(N, classes)``. Raises UsageError where they are no such thing."""
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(labels):
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise UsageError(f"a classifier of {len(labels)} images gives ({len(labels)}, classes), not {got}")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < logits.shape[1]:
        raise UsageError(f"labels must lie in 0 to {logits.shape[1] - 1}, the outputs of the network")
    return F.cross_entropy(logits, labels)


def unit_calls(model: nn.Module, images: Tensor, labels: Tensor) -> list[UnitCall]:
    """Every pass through a unit that stands in no other unit, in the order of computation.

    ``images`` is ``(N, C, H, W)``, normalised as in training, ``labels`` int64 ``(N,)``. ``model`` is untouched: a
    copy of it is run. Raises UsageError for a network without units, or that gives no logits.
    """
    if not images.is_floating_point():
        raise UsageError(
            f"images must be floating-point numbers, normalised as in training, not {images.dtype}"
        )
    exact = exact_copy(model)
    found: list[dict[str, Any]] = []
    given: list[Tensor] = []  # what each call gave: kept alive, so that identity means identity
    inside: list[str] = []

    def watch(value: Tensor, entry: dict[str, Any], key: str) -> None:
        entry[key] = value.detach().clone()  # a copy: an activation in place may change the value later
        entry[f"{key}_grad"] = torch.zeros_like(entry[key])  # no gradient arrived: 0
        if value.requires_grad:
            value.register_hook(lambda grad: entry.__setitem__(f"{key}_grad", grad.detach().clone()))

    def entered(name: str, unit: nn.Module, args: Any, context: dict[str, Any]) -> None:
        inside.append(name)
        if len(inside) == 1:
            follows = bool(given) and args[0] is given[-1]
            found.append({"name": name, "unit": unit, "context": context, "follows": follows})
            watch(args[0], found[-1], "x")

    def left(_: nn.Module, __: Any, output: Tensor) -> None:
        inside.pop()
        if not inside:
            given.append(output)
            watch(output, found[-1], "y")

    for name, unit in residual_units(exact).items():
        unit.register_forward_pre_hook(partial(entered, name), with_kwargs=True)
        unit.register_forward_hook(left)
    with torch.enable_grad():
        images = images.detach().double().requires_grad_()
        loss = classification_loss(exact(images), labels)
        torch.autograd.grad(loss, images, allow_unused=True)
    if not found:
        raise UsageError(f"{type(model).__name__} has no residual units to look at")
    for module in exact.modules():  # the units are called again, alone
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    return [UnitCall(**entry) for entry in found]


def runs(calls: Sequence[UnitCall]) -> list[list[UnitCall]]:
    """The calls in runs of consecutive units: nothing stands between one and the next."""
    rows: list[list[UnitCall]] = []
    for call in calls:
        if call.follows:
            rows[-1].append(call)
        else:
            rows.append([call])
    return rows


def relative_errors(found: Tensor, expected: Tensor) -> Tensor:
    """``|found - expected| / |expected|`` of each image, ``(N,)``; 0 where both are zero, infinite where one is."""
    apart = (found - expected).flatten(1).norm(dim=1)
    return torch.where(apart == 0, apart, apart / expected.flatten(1).norm(dim=1))


def transmitted(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """By what each unit that keeps the shape multiplies the norm of each image's gradient: ``(units, N)``.

    Raises UsageError where no unit keeps the shape, and as ``unit_calls``.
    """
    factors = [
        _norms(call, call.x_grad) / _norms(call, call.y_grad)
        for call in unit_calls(model, images, labels)
        if call.keeps_shape
    ]
    if not factors:
        raise UsageError(f"no unit of {type(model).__name__} keeps the shape")
    return torch.stack(factors)


def _norms(call: UnitCall, values: Tensor) -> Tensor:
    return by_image(call.unit, values).flatten(1).norm(dim=1)

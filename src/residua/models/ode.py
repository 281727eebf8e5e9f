"""Residual networks as ODEs (Chen et al. 2018): Euler steps with weights of their own, or one continuous block.

Importing this file imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from residua.errors import UsageError
from residua.models.slots import DropPathSpec
from residua.registry import Family, register
from residua.spec import ModelSpec, positive

if TYPE_CHECKING:
    from residua.nn import ImageClassifier

ADAPTIVE = ("bosh3", "dopri5")  # these know the error of a step, and so can choose its size


@dataclass(frozen=True, kw_only=True)
class ODESpec(ModelSpec):
    """A stem that reduces the image, an ODE on its maps over the time ``span``, and a classifier.

    The span is cut into ``blocks`` of equal length, each with a function of its own. A block is solved in ``steps``
    equal steps, or adaptively: with ``solver="euler"``, ``steps=1`` the blocks are a ResNet whose branches are scaled
    by span / blocks, with one block and an adaptive solver the network is an ODE-Net.
    """

    family: str = "ode"
    width: int = 64
    groups: int = 32  # of the group norms; as many as channels would take every channel's mean away
    halvings: int = 0  # of the stem
    field: Literal["time", "steady"] = "time"  # the function: that of the ODE-Net, or a pre-activation branch
    blocks: int = 1
    span: float = 1.0
    solver: Literal["euler", "midpoint", "heun", "rk4", "bosh3", "dopri5"] = "dopri5"
    steps: int | None = None  # of each block; None: as the tolerances want
    rtol: float = 1e-3
    atol: float = 1e-3
    max_steps: int = 1000  # of each block, before it is given up
    adjoint: bool = False  # gradients by the adjoint ODE, in memory that is constant in the steps
    zero_init: bool = False  # start every function at zero, and so every block as the identity
    num_classes: int = 10
    in_channels: int = 1
    drop_path: DropPathSpec = DropPathSpec()

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "width", "groups", "blocks", "span", "rtol", "atol", "max_steps")
        if self.width % self.groups:
            raise UsageError(f"ODESpec.groups must divide width, not {self.groups} and {self.width}")
        if self.halvings < 0:
            raise UsageError(f"ODESpec.halvings cannot be negative, not {self.halvings}")
        if self.steps is not None:
            positive(self, "steps")
        elif self.solver not in ADAPTIVE:
            raise UsageError(
                f"{self.solver} cannot choose its steps: set steps, or take {' or '.join(ADAPTIVE)}"
            )

    @property
    def depth(self) -> int:
        """Convolutions of the stem and of each block's function, applied once, and the fully connected layer."""
        return 1 + self.halvings + 2 * self.blocks + 1

    @property
    def usual_input(self) -> tuple[int, int, int]:
        """Shape (C, H, W): the bundled digits (8 px), or MNIST (28 px) where the stem reduces."""
        side = 28 if self.halvings > 1 else 8
        return self.in_channels, side, side


def build(spec: ODESpec) -> ImageClassifier:
    """The network of a spec, initialised after He et al. from torch's default generator."""
    from collections import OrderedDict

    from torch import nn

    from residua import nn as bricks
    from residua.nn.field import SteadyField, TimeField
    from residua.nn.ode import ODEBlock
    from residua.nn.solver import Solver

    solver = Solver(
        method=spec.solver, steps=spec.steps, rtol=spec.rtol, atol=spec.atol, max_steps=spec.max_steps
    )
    field = {"time": TimeField, "steady": SteadyField}[spec.field]
    length = spec.span / spec.blocks
    blocks = (
        ODEBlock(
            field(spec.width, spec.groups),
            index * length,
            (index + 1) * length,
            solver=solver,
            adjoint=spec.adjoint,
            drop_path=drop,
        )
        for index, drop in enumerate(spec.drop_path.build(spec.blocks))
    )
    stem: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(spec.in_channels, spec.width, 3, padding=1)
    )
    for index in range(1, spec.halvings + 1):
        stem[f"norm{index}"], stem[f"act{index}"] = nn.GroupNorm(spec.groups, spec.width), nn.ReLU()
        stem[f"conv{index}"] = nn.Conv2d(spec.width, spec.width, 4, 2, padding=1)
    network = bricks.ImageClassifier(
        spec=spec,
        stem=nn.Sequential(stem),
        stem_reduction=2**spec.halvings,
        stages=[bricks.Chain(*blocks)],
        widths=(spec.width,),
        strides=(1,),
        tail=nn.Sequential(OrderedDict(norm=nn.GroupNorm(spec.groups, spec.width), act=nn.ReLU())),
    )
    bricks.he_init(network)
    if spec.zero_init:
        bricks.zero_init_branches(network)
    return network


_DIGITS = ODESpec(name="ode_digits", width=32, groups=4, halvings=1, adjoint=True, zero_init=True)
_MNIST = ODESpec(name="ode_mnist", halvings=2, adjoint=True)
_NAMED = {
    spec.name: spec
    for spec in (
        # Chen et al. 2018, Table 1: the ODE-Net, the RK-Net and the ResNet of six units on MNIST
        _MNIST,
        _MNIST.change(name="rk_mnist", solver="rk4", steps=1, adjoint=False),
        _MNIST.change(
            name="euler_mnist", solver="euler", steps=1, blocks=6, span=6.0, field="steady", adjoint=False
        ),
        _DIGITS,
        _DIGITS.change(name="rk_digits", solver="rk4", steps=1, adjoint=False),
        _DIGITS.change(
            name="euler_digits", solver="euler", steps=1, blocks=6, span=6.0, field="steady", adjoint=False
        ),
        _DIGITS.change(name="ode_tiny", width=8, groups=2),
    )
}

register(
    Family(
        name="ode",
        spec_class=ODESpec,
        build=build,
        named=_NAMED,
        recipe="ode",
        tiny="ode_tiny",
        # an adaptive solver's loop depends on values: torch.export cannot follow it (with steps=N it can), and
        # torch.compile and torch.fx leave it as it is
        capabilities=frozenset({"compile", "fx", "features"}),
    )
)

"""What a network of stages is made of: the slots, and what the parts in them are asked. Imports no torch.

A part is one file: a frozen spec with its own options, beside the builder of its modules. It answers what others need
to know of it (channels, convolutions, how it starts at zero), so that nobody else knows its kind.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from residua.errors import UsageError
from residua.parts import register
from residua.spec import PartSpec, fraction

if TYPE_CHECKING:
    from collections import OrderedDict
    from collections.abc import Iterator

    from torch import nn

    from residua import nn as bricks


@dataclass(frozen=True, kw_only=True)
class NormSpec(PartSpec):
    """A normalisation of maps."""

    slot: ClassVar[str] = "norm"

    @abstractmethod
    def build(self, channels: int) -> nn.Module:
        """The norm of maps ``(N, channels, H, W)``."""


@dataclass(frozen=True, kw_only=True)
class ActivationSpec(PartSpec):
    """A nonlinearity."""

    slot: ClassVar[str] = "activation"

    @abstractmethod
    def build(self) -> nn.Module:
        """The activation, never in place: taps may keep what goes in."""


@dataclass(frozen=True, kw_only=True)
class OrderSpec(PartSpec):
    """Where norms and activations stand in a unit (He et al. 2016, Figure 4)."""

    slot: ClassVar[str] = "order"

    @abstractmethod
    def build(self, norm: NormSpec, activation: ActivationSpec) -> bricks.UnitOrder:
        """The order, with what makes its norms and activations."""


@dataclass(frozen=True)
class Place:
    """Where a unit stands in its network: all that its parts may ask."""

    in_channels: int
    width: int  # of the stage
    first_width: int  # of the first stage
    stride: int = 1
    index: int = 0  # of the unit in the network
    axis: int = 1  # where channels stand: 1 in maps, -1 at the positions of a Transformer


@dataclass(frozen=True, kw_only=True)
class UnitSpec(PartSpec):
    """A kind of unit: the branch, and what the network has to know of it."""

    slot: ClassVar[str] = "unit"
    takes_width: ClassVar[bool] = True  # whether its channels follow from the stage's width

    @property
    @abstractmethod
    def convolutions(self) -> int:
        """What one unit adds to the depth."""

    def channels(self, width: int) -> int:
        """Channels that the branch gives in a stage of ``width``."""
        return width

    def check(self, place: Place) -> None:
        """Raise UsageError for a place that the unit cannot be built at."""

    @abstractmethod
    def build(self, place: Place, order: bricks.UnitOrder, *, preactivated: bool = False) -> nn.Module:
        """The branch; ``preactivated`` says that norm and activation already stand before it."""

    def start_at_zero(self, branch: nn.Module) -> None:
        """Make a branch of ``build`` start at zero (Goyal et al. 2017, sec. 5.1): its last layer with a weight."""
        from residua.nn import start_at_zero

        start_at_zero(branch)


@dataclass(frozen=True, kw_only=True)
class ShortcutSpec(PartSpec):
    """What goes round the branch."""

    slot: ClassVar[str] = "shortcut"
    changes_shape: ClassVar[bool] = True  # whether it can go to other channels, or to smaller maps

    @abstractmethod
    def build(self, in_channels: int, out_channels: int, stride: int, *, norm: NormSpec | None) -> nn.Module:
        """The shortcut of a unit; ``norm`` is what a projection ends with, if the unit's order has a norm there."""


@dataclass(frozen=True, kw_only=True)
class MergeSpec(PartSpec):
    """How shortcut and branch are joined."""

    slot: ClassVar[str] = "merge"
    plain: ClassVar[bool] = False  # whether the units have no shortcut
    of_maps: ClassVar[bool] = False  # whether it takes maps (N, C, H, W) alone
    split: ClassVar[int] = 1  # into how many streams it splits the channels of the stem's maps

    @property
    def streams(self) -> int:
        """How many streams run between the units."""
        return self.split

    def channels(self, in_channels: int, branch: int) -> int:
        """Channels of what is joined."""
        return branch

    @abstractmethod
    def build(self, place: Place, out_channels: int) -> bricks.Merge:
        """The merge of a unit that gives ``out_channels``."""

    def ends(self) -> tuple[nn.Module, nn.Module]:
        """What makes streams of the stem's maps, and maps of the streams again."""
        from torch import nn

        return nn.Identity(), nn.Identity()

    def stage(self, units: OrderedDict[str, nn.Module]) -> nn.Sequential:
        """The units of a stage in series."""
        from residua.nn import Chain

        return Chain(units)


@dataclass(frozen=True, kw_only=True)
class StemSpec(PartSpec):
    """What stands before the first stage. Its module has a ``reduction``."""

    slot: ClassVar[str] = "stem"
    side: ClassVar[int]  # pixels of the images that the papers feed it
    bare: ClassVar[bool] = False  # whether norm and activation are left to the first unit

    width: int | None = None  # channels; None: as the first stage

    def validate(self) -> None:  # noqa: D102
        if self.width is not None and self.width < 1:
            raise UsageError(f"{self.title()}.width must be above 0, not {self.width}")

    @property
    @abstractmethod
    def reduction(self) -> int:
        """How much smaller than the image the first maps are."""

    def usual_input(self, dims: int) -> tuple[int, ...]:
        """Sides of what the papers feed it: (H, W), or (D, H, W)."""
        return (self.side,) * dims

    @abstractmethod
    def build(self, in_channels: int, width: int) -> nn.Module:
        """The stem from ``in_channels`` to ``width`` channels."""


@dataclass(frozen=True, kw_only=True)
class TransitionSpec(PartSpec):
    """What stands between two stages, where the units keep the maps' size."""

    slot: ClassVar[str] = "transition"
    halves: ClassVar[bool] = True  # whether it takes the stride

    @abstractmethod
    def channels(self, in_channels: int, width: int) -> int:
        """Channels that it gives before a stage of ``width``."""

    @abstractmethod
    def build(self, in_channels: int, out_channels: int) -> nn.Module | None:
        """The module, which halves the maps; None: the first unit of a stage does it."""


@dataclass(frozen=True, kw_only=True)
class HeadSpec(PartSpec):
    """What makes logits of the last maps."""

    slot: ClassVar[str] = "head"

    @property
    def layers(self) -> int:
        """What it adds to the depth: fully connected layers."""
        return 1

    @abstractmethod
    def build(self, channels: int, num_classes: int) -> bricks.PoolHead:
        """The head of maps of so many channels."""


@register
@dataclass(frozen=True, kw_only=True)
class DropPathSpec(PartSpec):
    """Stochastic depth (Huang et al. 2016): how often the branches drop, as a number the last one's rate."""

    slot: ClassVar[str] = "drop path"
    kind: ClassVar[str] = "drop_path"

    rate: float = 0.0
    rule: Literal["linear", "uniform"] = "linear"  # over the units; linear: the last one drops with ``rate``
    mode: Literal["sample", "batch"] = "sample"  # batch: of a whole batch, and its computation is skipped

    def validate(self) -> None:  # noqa: D102
        fraction(self, "rate")

    def build(self, units: int) -> Iterator[bricks.DropPath]:
        """One for each of so many units, first to last."""
        from residua.nn import DropPath, drop_path_rates

        return (DropPath(rate, self.mode) for rate in drop_path_rates(self.rule, self.rate, units))

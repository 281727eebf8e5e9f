"""Networks of stages: the spec that says what stands where, and the one loop that builds it.

ResNet, ResNeXt, Wide ResNet, ResNeSt, DenseNet and the 3-D ResNets are rows of it. Imports no torch.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, count
from typing import TYPE_CHECKING, ClassVar

from residua.errors import UsageError
from residua.models.activations import ReluSpec
from residua.models.heads import PoolHeadSpec
from residua.models.merges.sums import AddMerge
from residua.models.norms import BatchNormSpec
from residua.models.orders import OriginalOrder
from residua.models.shortcuts.projection import ProjectedShortcut
from residua.models.slots import (
    ActivationSpec,
    DropPathSpec,
    HeadSpec,
    MergeSpec,
    NormSpec,
    OrderSpec,
    Place,
    ShortcutSpec,
    StemSpec,
    TransitionSpec,
    UnitSpec,
)
from residua.models.stems.imagenet import ImageNetStemSpec
from residua.models.transitions import NoTransition
from residua.models.units.basic import BasicUnit
from residua.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn

    from residua import nn as bricks


@dataclass(frozen=True, kw_only=True)
class StagedSpec(ModelSpec):
    """Stages of alike units. ``depths`` counts the units of each stage, ``widths`` the channels its units are told."""

    repeats: ClassVar[str] = "depths"
    tail_is_named: ClassVar[bool] = (
        False  # whether tensors of the last norm are "tail.norm" or, as ever, "tail.0"
    )

    unit: UnitSpec = BasicUnit()
    depths: tuple[int, ...] = (2, 2, 2, 2)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    shortcut: ShortcutSpec = ProjectedShortcut()
    merge: MergeSpec = AddMerge()
    order: OrderSpec = OriginalOrder()
    norm: NormSpec = BatchNormSpec()
    activation: ActivationSpec = ReluSpec()
    stem: StemSpec = ImageNetStemSpec()
    transition: TransitionSpec = NoTransition()
    head: HeadSpec = PoolHeadSpec()
    drop_path: DropPathSpec = DropPathSpec()
    zero_init: bool = False  # start every branch at zero (Goyal et al. 2017, sec. 5.1)
    # of the last maps: dilation stands in for the strides beyond it (None: all halve)
    output_stride: int | None = None
    dims: int = 2  # 3: every 2-D layer is inflated, for clips and volumes

    def validate(self) -> None:  # noqa: D102
        super().validate()
        if not self.depths or (self.unit.takes_width and len(self.depths) != len(self.widths)):
            raise UsageError(
                f"depths and widths must be equally long and not empty: {list(self.depths)}, {list(self.widths)}"
            )
        if min(self.depths + self.widths) < 1:
            raise UsageError(
                f"every stage needs a unit and a channel: {list(self.depths)}, {list(self.widths)}"
            )
        if not self.unit.takes_width and (self.widths or not self.stem.width):
            raise UsageError(f"units of kind {self.unit.kind!r} need stem.width, and take no widths")
        if self.dims not in (2, 3):
            raise UsageError(f"dims must be 2 or 3, not {self.dims}")
        if self.stem_channels % self.merge.split:
            raise UsageError(
                f"{self.stem_channels} channels of the stem do not make {self.merge.split} streams alike"
            )
        if self.stem.bare and self.order.kind != "full_preact":
            raise UsageError(
                f"stem {self.stem.kind!r} leaves norm and ReLU to the first unit, which needs order='full_preact'; "
                "stem 'cifar' has its own"
            )
        if self.norm.kind == "none" and not self.stem.bare:
            raise UsageError(
                f"norm 'none' needs a stem without one: {self.stem.kind!r} has its own, 'cifar-conv' has none"
            )
        if self.merge.plain and self.drop_path.rate:
            raise UsageError("a plain network has no shortcut to fall back on: drop_path needs merge='add'")
        if self.merge.plain and self.zero_init:
            raise UsageError(
                "a plain network whose branches start at zero cannot learn: zero_init needs merge='add'"
            )
        known = [self.stem.reduction * 2**i for i in range(len(self.depths))]
        if self.output_stride not in (None, *known):
            raise UsageError(f"output_stride must be one of {known}, not {self.output_stride}")
        for place, out_channels in self.places():
            if place.in_channels < 1:
                raise UsageError("the transition leaves a stage without channels")
            self.unit.check(place)
            branch = self.unit.channels(place.width)
            changes = place.stride > 1 or (out_channels == branch and place.in_channels != branch)
            if changes and not (self.merge.plain or self.shortcut.changes_shape):
                raise UsageError(
                    f"shortcut {self.shortcut.kind!r} cannot go from {place.in_channels} channels to {out_channels} "
                    f"with stride {place.stride}"
                )

    def places(self) -> Iterator[tuple[Place, int]]:
        """Every unit's place, from the first to the last, and the channels that the unit gives."""
        channels, widths, units = self.stem_channels // self.merge.split, self.stage_widths, count()
        for stage, (depth, width) in enumerate(zip(self.depths, widths, strict=True)):
            if stage:
                channels = self.transition.channels(channels, width)
            stride = 1 if self.transition.halves else self.natural_strides[stage]
            for index in range(depth):
                place = Place(channels, width, widths[0], 1 if index else stride, next(units))
                channels = self.merge.channels(channels, self.unit.channels(width))
                yield place, channels

    @property
    def depth(self) -> int:
        """Convolutions on the main path and fully connected layers; projections and norms do not count."""
        between = len(self.depths) - 1 if self.transition.halves else 0
        return 1 + sum(self.depths) * self.unit.convolutions + between + self.head.layers

    @property
    def stage_widths(self) -> tuple[int, ...]:
        """``widths``, or nothing for each stage whose units take none."""
        return self.widths or (0,) * len(self.depths)

    @property
    def stem_channels(self) -> int:
        """Channels that the stem gives."""
        return self.stem.width or self.widths[0]

    @property
    def out_widths(self) -> tuple[int, ...]:
        """Channels that each stage gives."""
        given = [channels for _, channels in self.places()]
        return tuple(given[end - 1] * self.merge.split for end in accumulate(self.depths))

    @property
    def usual_input(self) -> tuple[int, ...]:
        """Shape of what the papers feed it: (C, H, W), or (C, D, H, W)."""
        return self.in_channels, *self.stem.usual_input(self.dims)

    @property
    def natural_strides(self) -> tuple[int, ...]:
        """Stride of each stage: the first keeps the map (the stem has reduced it), the others halve it."""
        return (1,) + (2,) * (len(self.depths) - 1)

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride that each stage keeps under ``output_stride``."""
        reduction, kept = self.stem.reduction, []
        for stride in self.natural_strides:
            fits = self.output_stride is None or reduction * stride <= self.output_stride
            kept.append(stride if fits else 1)
            reduction *= kept[-1]
        return tuple(kept)


def build(spec: StagedSpec, draw: Callable[[nn.Module], None] | None = None) -> bricks.ImageClassifier:
    """The network of a spec, its weights from torch's default generator: by ``draw``, or after He et al."""
    from residua import nn as bricks
    from residua.nn.dilate import dilate_stages

    order = spec.order.build(spec.norm, spec.activation)
    stem = spec.stem.build(spec.in_channels, spec.stem_channels)
    drops, places = spec.drop_path.build(sum(spec.depths)), spec.places()
    stages, channels, preactivated = [], spec.stem_channels // spec.merge.split, not spec.stem.bare
    for stage, (depth, width) in enumerate(zip(spec.depths, spec.stage_widths, strict=True)):
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        between = (
            spec.transition.build(channels, spec.transition.channels(channels, width)) if stage else None
        )
        if between is not None:
            parts["transition"] = between
        for index in range(depth):
            place, channels = next(places)
            parts[f"{index}"] = _unit(spec, order, place, channels, next(drops), preactivated)
            preactivated = False
        stages.append(spec.merge.stage(parts))
    dilate_stages(stages, spec.natural_strides, spec.strides)
    network = bricks.ImageClassifier(
        spec=spec,
        stem=stem,
        stem_reduction=spec.stem.reduction,
        stages=stages,
        widths=spec.out_widths,
        strides=spec.strides,
        # what the next unit would have done (He et al. 2016, appendix)
        tail=_tail(spec, order, spec.out_widths[-1]) if order.before else None,
        head=spec.head.build(spec.out_widths[-1], spec.num_classes),
        dims=spec.dims,
        ends=spec.merge.ends(),
    )
    if spec.dims == 3:
        bricks.inflate(network)
    (draw or bricks.he_init)(network)
    if spec.zero_init:
        for unit in bricks.residual_units(network).values():
            spec.unit.start_at_zero(unit.branch)
    return network


def _tail(spec: StagedSpec, order: bricks.UnitOrder, channels: int) -> nn.Sequential:
    from torch import nn

    layers = order.layers(order.before, channels)
    return nn.Sequential(layers) if spec.tail_is_named else nn.Sequential(*layers.values())


def _unit(
    spec: StagedSpec,
    order: bricks.UnitOrder,
    place: Place,
    out_channels: int,
    drop: bricks.DropPath,
    preactivated: bool,
) -> bricks.Residual | bricks.Chain:
    from torch import nn

    from residua import nn as bricks

    def sequence(parts: str, channels: int) -> nn.Sequential | None:
        return nn.Sequential(order.layers(parts, channels)) if parts else None

    shape = place.in_channels, out_channels, place.stride
    norm = spec.norm if "norm" in order.last else None
    shortcut = None if spec.merge.plain else spec.shortcut.build(*shape, norm=norm)
    # a projection sees the pre-activated input too (He et al. 2016, appendix): the pre-activation is shared
    shared = None
    if not preactivated and isinstance(shortcut, bricks.Projection):
        shared = sequence(order.before, place.in_channels)
    unit = bricks.Residual(
        spec.unit.build(place, order, preactivated=preactivated or shared is not None),
        shortcut,
        merge=spec.merge.build(place, out_channels),
        activation=order.act() if order.merged == "act" else sequence(order.merged, out_channels),
        drop_path=drop,
    )
    return unit if shared is None else bricks.Chain(OrderedDict(preact=shared, unit=unit))

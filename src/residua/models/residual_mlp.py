"""Residual networks over tables (Gorishniy et al. 2021, "Revisiting Deep Learning Models for Tabular Data", sec. 3.2).

A channel is a column here. Importing this file imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.errors import UsageError
from residua.models.merges.sums import AddMerge, BranchOnlyMerge
from residua.models.slots import DropPathSpec, MergeSpec, Place
from residua.models.units.feed_forward import FeedForwardUnit
from residua.registry import Family, register
from residua.spec import ModelSpec, positive

if TYPE_CHECKING:
    from residua.nn.rows import RowClassifier


@dataclass(frozen=True, kw_only=True)
class ResidualMLPSpec(ModelSpec):
    """A fully connected layer, ``layers`` units of two each, and ``Linear(ReLU(BatchNorm(x)))`` (eq. 1 of sec. 3.2)."""

    repeats: ClassVar[str] = "layers"

    family: str = "residual_mlp"
    num_classes: int = 10
    in_channels: int = 64  # columns
    layers: int = 2
    width: int = 192
    unit: FeedForwardUnit = FeedForwardUnit()
    merge: MergeSpec = AddMerge()
    drop_path: DropPathSpec = DropPathSpec()

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "layers", "width")
        if self.merge.of_maps:
            raise UsageError(f"merge {self.merge.kind!r} is of maps: a row of a table has none")
        if self.drop_path.rate and self.merge.plain:
            raise UsageError("a plain network has no shortcut to fall back on: drop_path needs merge='add'")
        self.unit.check(self.place(0))

    def place(self, index: int) -> Place:
        """Where the unit ``index`` stands."""
        return Place(self.width, self.width, self.width, index=index, axis=-1)

    @property
    def depth(self) -> int:
        """Fully connected layers."""
        return 1 + self.layers * self.unit.convolutions + 1

    @property
    def usual_input(self) -> tuple[int]:
        """Shape of a row."""
        return (self.in_channels,)


def build(spec: ResidualMLPSpec) -> RowClassifier:
    """The network of a spec, its weights as torch draws them, which is what the authors do."""
    from torch import nn

    from residua.nn import Chain, Residual, UnitOrder
    from residua.nn.rows import RowClassifier

    order = UnitOrder(norm=nn.BatchNorm1d)
    units = (
        Residual(
            spec.unit.build(spec.place(index), order),
            merge=spec.merge.build(spec.place(index), spec.width),
            drop_path=drop,
        )
        for index, drop in enumerate(spec.drop_path.build(spec.layers))
    )
    return RowClassifier(
        spec=spec,
        width=spec.width,
        units=Chain(*units),
        tail=nn.Sequential(order.layers("norm act", spec.width)),
        ends=spec.merge.ends(),
    )


_NAMED = {
    spec.name: spec
    for spec in (
        # the example of the authors' package (rtdl_revisiting_models): 2 blocks of 192, hidden 384
        ResidualMLPSpec(name="residual_mlp"),
        ResidualMLPSpec(name="residual_mlp_small", width=64),
        ResidualMLPSpec(name="residual_mlp_tiny", width=32, unit=FeedForwardUnit(dropout=0.0)),
        ResidualMLPSpec(name="plain_mlp", merge=BranchOnlyMerge()),
    )
}

register(
    Family(
        name="residual_mlp",
        spec_class=ResidualMLPSpec,
        build=build,
        named=_NAMED,
        source="digits-table",
        recipe="table",
        tiny="residual_mlp_tiny",
        capabilities=frozenset({"export", "compile", "fx"}),  # it has no maps to take features from
    )
)

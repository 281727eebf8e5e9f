"""A network of any family: its parts and units, its cost, and what is published of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from torch import nn

from residua.analysis.cost import Cost, count
from residua.analysis.skeleton import trace
from residua.description.citations import Citation, citations
from residua.description.columns import columns
from residua.description.sections import PUBLISHED, Page, Section, bullets, filled, sizes
from residua.nn import residual_units
from residua.spec import ModelSpec


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Neighbouring units that are alike: the first one's name, how many, what joins them, shapes without the batch."""

    first: str
    units: int
    merge: str
    shortcut: str
    input: tuple[int, ...]
    output: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Summary(Page):
    """A network for one input. ``str()`` gives a page of at most 100 columns, ``to_dict()`` plain JSON values."""

    spec: ModelSpec
    cost: Cost
    units: tuple[Unit, ...]
    published: tuple[Citation, ...]

    @property
    def counted(self) -> Cost:  # noqa: D102
        return self.cost

    @property
    def depth(self) -> int:  # noqa: D102
        return self.spec.depth

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            **self.head(),
            "parts": [dataclasses.asdict(part) for part in self.cost.parts],
            "units": [dataclasses.asdict(unit) for unit in self.units],
            "published": [dataclasses.asdict(figure) for figure in self.published],
            "spec": self.spec.to_dict(),
        }

    def sections(self) -> list[Section]:
        """The page as headings and lines."""
        title = self.title(_input(self.spec, self.cost.input))
        parts = [("part", "parameters", "multiply-adds")]
        parts += [(p.part, f"{p.parameters:,}", f"{p.multiply_adds:,}") for p in self.cost.parts]
        units = [(unit.first, str(unit.units), _unit_words(unit)) for unit in self.units]
        total = sum(unit.units for unit in self.units)
        plain = bool(units) and all(unit.merge == "BranchOnly" for unit in self.units)
        listed = (
            columns([("first", "units", "what they are"), *units], right=(1,), flexible=2) if units else [""]
        )
        return filled(
            (title, columns(parts, right=(1, 2), flexible=0)),
            (f"{'Plain' if plain else 'Residual'} units: {total or 'none'}", listed),
            (PUBLISHED, bullets([str(figure) for figure in self.published])),
        )


def summarize(bare: nn.Module, spec: ModelSpec, input_shape: Sequence[int]) -> Summary:
    """Summarise a network's skeleton. Raises UsageError where it refuses the input's shape."""
    calls = trace(bare, input_shape)
    shapes = {call.name: (call.input, call.output) for call in calls}
    units = [
        Unit(
            first=name,
            units=1,
            merge=type(unit.merge).__name__,
            shortcut=_kinds(unit.shortcut),
            input=shapes[name][0],
            output=shapes[name][1],
        )
        for name, unit in residual_units(bare).items()
        if name in shapes  # a network may hold units that its usual input does not reach
    ]
    return Summary(
        spec=spec,
        cost=count(bare, calls, input_shape),
        units=tuple(_grouped(units)),
        published=tuple(citations(spec.name)),
    )


def _grouped(units: Sequence[Unit]) -> Iterator[Unit]:
    """Neighbours of one kind on maps of one size as one entry; dense units grow on the way."""

    def kind(unit: Unit) -> tuple[Any, ...]:
        return unit.merge, unit.shortcut, unit.input[1:], unit.output[1:], unit.input == unit.output

    for _, group in groupby(units, key=kind):
        members = list(group)
        yield dataclasses.replace(members[0], units=len(members), output=members[-1].output)


_MERGES = {
    "Add": "shortcut and branch are added",
    "BranchOnly": "plain: the branch alone",
    "Concat": "the branch is concatenated to the shortcut",
}
_SHORTCUTS = {
    "Identity": "identity",
    "Projection": "a projection",
    "PadShortcut": "subsampling and zero channels",
    "Conv2d": "a 1x1 convolution",
    "SpectralConv2d": "a 1x1 convolution",
    "Upsample": "upsampling",
    "AvgPool2d": "average pooling",
}


def _kinds(shortcut: nn.Module) -> str:
    """The class of a shortcut, or the classes of the layers that it is made of, in order."""
    layers = list(shortcut) if isinstance(shortcut, nn.Sequential) else [shortcut]
    return ", ".join(type(layer).__name__ for layer in layers)


def _unit_words(unit: Unit) -> str:
    shortcut = " and ".join(_SHORTCUTS.get(kind, kind) for kind in unit.shortcut.split(", "))
    path = sizes(unit.input) if unit.input == unit.output else f"{sizes(unit.input)} to {sizes(unit.output)}"
    how = _MERGES.get(unit.merge, unit.merge)
    return f"{path}; {how}" if unit.merge == "BranchOnly" else f"{path}; {how}; the shortcut is {shortcut}"


def _input(spec: ModelSpec, shape: Sequence[int]) -> str:
    if len(shape) == 1:
        what = (
            "tokens" if spec.takes_tokens else "columns" if shape[0] == spec.in_channels else "latent numbers"
        )
        return f"{shape[0]} {what}"
    return sizes(shape)

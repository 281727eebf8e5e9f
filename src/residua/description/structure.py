"""What a network is made of, read from its modules and the shapes that flow through them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import nn

from residua.analysis.cost import Cost, count
from residua.analysis.skeleton import Call, trace
from residua.nn import (
    BranchOnly,
    ImageClassifier,
    PadShortcut,
    Projection,
    Residual,
    SqueezeExcite,
    residual_units,
)

Shape = tuple[int, ...]
ShortcutKind = Literal["identity", "subsample and pad", "projection", "none", "own"]


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """The shortcut of one unit, or of ``units`` units in a row that have the same. Shapes are (C, H, W)."""

    first: str  # module name of the first of them
    last: str
    units: int
    kind: ShortcutKind  # "none": plain units; "own": a module that residua does not know
    input: Shape
    output: Shape
    stride: int
    zeros: tuple[int, int]  # channels padded before and after
    parameters: int


@dataclass(frozen=True, kw_only=True)
class NetworkPart:
    """The stem, a stage, the tail or the head. ``layers`` are those of the (first) unit, in words."""

    name: str
    input: Shape
    output: Shape
    units: int
    layers: tuple[str, ...]
    parameters: int
    multiply_adds: int
    shortcuts: tuple[Shortcut, ...]


@dataclass(frozen=True, kw_only=True)
class Depth:
    """What is counted in the depth (convolutions and fully connected layers on the main path), and what is not."""

    stem: int
    units: int
    head: int
    norms: int
    projections: int
    gates: int  # convolutions of units that their spec does not count

    @property
    def total(self) -> int:
        """The depth."""
        return self.stem + self.units + self.head


@dataclass(frozen=True, kw_only=True)
class Structure:
    """An image classifier for one input (C, H, W): its parts from input to output, its depth, its cost."""

    input: Shape
    stem: NetworkPart
    stages: tuple[NetworkPart, ...]
    tail: NetworkPart | None
    head: NetworkPart
    pools: tuple[tuple[Shape, Shape], ...]  # input and output of each max-pool
    classifiers: tuple[tuple[int, int], ...]  # input and output features of each fully connected layer
    depth: Depth
    cost: Cost

    @property
    def parts(self) -> tuple[NetworkPart, ...]:
        """Every part from input to output."""
        return (self.stem, *self.stages, *([self.tail] if self.tail else []), self.head)

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        """Every shortcut from input to output; equal neighbours are one entry."""
        return tuple(shortcut for stage in self.stages for shortcut in stage.shortcuts)


def read_structure(bare: ImageClassifier, input_shape: Shape) -> Structure:
    """Read the structure of a classifier's skeleton. Raises UsageError where it refuses the input's shape."""
    trail = trace(bare, input_shape)
    cost = count(bare, trail, input_shape)
    calls = {call.name: call for call in trail}
    units = residual_units(bare)
    costs = {part.part: part for part in cost.parts}
    gates = tuple(f"{call.name}." for call in trail if isinstance(call.module, SqueezeExcite))
    listed = [call for call in trail if not call.name.startswith(gates)]  # a gate is one entry

    def part(module: str, name: str) -> NetworkPart:
        own = {key: unit for key, unit in units.items() if key.startswith(f"{module}.")}
        shown = next(iter(own), None)
        inside = module if shown is None else f"{shown}.branch"
        spent = costs.get(name)
        return NetworkPart(
            name=name,
            input=calls[module].input,
            output=calls[module].output,
            units=len(own),
            layers=tuple(_words(call) for call in listed if _below(call.name, inside) and _words(call)),
            parameters=spent.parameters if spent else 0,
            multiply_adds=spent.multiply_adds if spent else 0,
            shortcuts=_grouped(_shortcut(key, unit, calls) for key, unit in own.items()),
        )

    tail = tuple(type(call.module).__name__ for call in trail if call.name.startswith("tail."))
    return Structure(
        input=tuple(input_shape),
        stem=part("stem", "stem"),
        stages=tuple(part(f"stages.{i}", f"stage{i + 1}") for i in range(len(bare.stages))),
        tail=None if isinstance(bare.tail, nn.Identity) else replace(part("tail", "tail"), layers=tail),
        head=part("head", "head"),
        pools=tuple((c.input, c.output) for c in trail if isinstance(c.module, nn.MaxPool2d)),
        classifiers=tuple(
            (c.module.in_features, c.module.out_features) for c in trail if isinstance(c.module, nn.Linear)
        ),
        depth=_depth(trail, units, bare.spec),
        cost=cost,
    )


def _below(name: str, module: str) -> bool:
    return f"{name}.".startswith(f"{module}.")


def _words(call: Call) -> str:
    """A layer in the paper's notation: ``3x3/2, 128``; empty for layers that the paper does not list."""
    match call.module:
        case nn.Conv2d() as conv:
            groups = f", {conv.groups} groups" if conv.groups > 1 else ""
            return f"{_kernel(conv.kernel_size, conv.stride)}, {conv.out_channels}{groups}"
        case SqueezeExcite() as gate:
            return f"gate {gate.fc1.in_channels}-{gate.fc1.out_channels}-{gate.fc2.out_channels}"
        case nn.MaxPool2d() as pool:
            return f"{_kernel(pool.kernel_size, pool.stride)} max-pool"
        case nn.Linear() as linear:
            return f"average pool, fc {linear.out_features}"
    return ""


def _kernel(kernel: Sequence[int] | int, stride: Sequence[int] | int) -> str:
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    step = stride if isinstance(stride, int) else max(stride)
    return f"{height}x{width}" + (f"/{step}" if step > 1 else "")


def _shortcut(name: str, unit: Residual, calls: dict[str, Call]) -> Shortcut:
    # the shapes are the unit's: a plain unit computes no shortcut worth telling
    source, target = calls[name].input, calls[name].output
    kind: ShortcutKind = "own"
    zeros = (0, 0)
    if isinstance(unit.merge, BranchOnly):
        kind = "none"
    elif isinstance(unit.shortcut, nn.Identity):
        kind = "identity"
    elif isinstance(unit.shortcut, PadShortcut):
        kind, zeros = "subsample and pad", (unit.shortcut.before, unit.shortcut.after)
    elif isinstance(unit.shortcut, Projection):
        kind = "projection"
    return Shortcut(
        first=name,
        last=name,
        units=1,
        kind=kind,
        input=source,
        output=target,
        stride=-(-source[-1] // target[-1]),
        zeros=zeros,
        parameters=sum(p.numel() for p in unit.shortcut.parameters()),
    )


def _grouped(shortcuts: Iterable[Shortcut]) -> tuple[Shortcut, ...]:
    groups = itertools.groupby(shortcuts, key=lambda s: replace(s, first="", last=""))
    runs = [list(group) for _, group in groups]
    return tuple(replace(run[0], last=run[-1].last, units=len(run)) for run in runs)


def _depth(trail: Sequence[Call], units: dict[str, Residual], spec: Any) -> Depth:
    # a gate of a merge is no more on the main path than a projection is; what of a unit is, its spec says
    shortcuts = tuple(f"{name}.{part}." for name in units for part in ("shortcut", "merge"))
    counts: Counter[str] = Counter()
    norms = projections = 0
    for call in trail:
        if isinstance(call.module, nn.Conv2d | nn.Linear):
            if f"{call.name}.".startswith(shortcuts):
                projections += 1
            else:
                counts[call.name.split(".")[0]] += 1
        elif isinstance(call.module, nn.BatchNorm2d):
            norms += 1
    counted = sum(spec.depths) * spec.unit.convolutions
    return Depth(
        stem=counts["stem"],
        units=counted,
        gates=counts["stages"] - counted,
        head=counts["tail"] + counts["head"],
        norms=norms,
        projections=projections,
    )

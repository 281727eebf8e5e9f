"""What a network costs: exact parameters and multiply-adds, by layer and by part.

Counted are the multiply-adds of convolutions and fully connected layers, as He et al. 2015 (Table 1) count
them, and of attention's two products (queries with keys, weights with values): one multiplication with its addition
counts once. A causal mask saves nothing here. What works value by value does not count: norms, activations, biases,
sums, gates, pooling, interpolation, the weighing of ResNeSt's splits. torchvision's published figures count the same.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from residua.analysis.skeleton import Call, skeleton, trace
from residua.nn import SelfAttention, residual_units
from residua.spec import ModelSpec


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """A module with parameters of its own. ``output`` has no batch; empty if the layer was not called."""

    name: str
    kind: str  # its class: "Conv2d", "BatchNorm2d", "Linear" ...
    part: str
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int
    projection: bool  # it stands on a shortcut


@dataclass(frozen=True, kw_only=True)
class PartCost:
    """The sum over a part of the network: ``stem``, ``stage1`` ..., ``tail``, ``head``."""

    part: str
    parameters: int
    multiply_adds: int


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Exact counts for one input without its batch, such as ``(3, 224, 224)``."""

    input: tuple[int, ...]
    parameters: int
    multiply_adds: int
    projections: PartCost  # what stands on shortcuts; contained in the parts and in the sums too
    parts: tuple[PartCost, ...]
    layers: tuple[LayerCost, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)


def cost(model: nn.Module | ModelSpec, input_shape: Sequence[int] = (3, 224, 224)) -> Cost:
    """Count a network, on the meta device: no numbers are computed and ``model`` stays untouched.

    Works on any ``nn.Module``; a parameter that several modules share counts once, a layer that is called
    twice has its multiply-adds counted twice. torch's ``nn.MultiheadAttention`` calls no layer and counts as no work.

    Raises UsageError where the network refuses the input's shape, ResiduaError where it cannot be run without numbers.
    """
    bare = skeleton(model)
    return count(bare, trace(bare, input_shape), input_shape)


def count(bare: nn.Module, calls: Sequence[Call], input_shape: Sequence[int]) -> Cost:
    """Count a skeleton whose calls are already known."""
    output: dict[str, tuple[int, ...]] = {}
    work: dict[str, int] = {}
    for call in calls:
        output[call.name] = call.output
        work[call.name] = work.get(call.name, 0) + _multiply_adds(call)
    shortcuts = tuple(f"{name}.shortcut." for name in residual_units(bare))
    layers, seen = [], set()
    for name, module in bare.named_modules():
        own = [p for p in module.parameters(recurse=False) if id(p) not in seen]
        seen.update(map(id, own))
        if own or work.get(name):
            layers.append(
                LayerCost(
                    name=name,
                    kind=type(module).__name__,
                    part=_part(name),
                    output=output.get(name, ()),
                    parameters=sum(p.numel() for p in own),
                    multiply_adds=work.get(name, 0),
                    projection=f"{name}.".startswith(shortcuts),
                )
            )
    total = _sum("all", layers)
    return Cost(
        input=tuple(input_shape),
        parameters=total.parameters,
        multiply_adds=total.multiply_adds,
        projections=_sum("projections", [layer for layer in layers if layer.projection]),
        parts=tuple(
            _sum(part, [layer for layer in layers if layer.part == part])
            for part in dict.fromkeys(layer.part for layer in layers)
        ),
        layers=tuple(layers),
    )


def totals(spec: ModelSpec, input_shape: Sequence[int]) -> tuple[int, int]:
    """Parameters and multiply-adds of a spec, as ``cost`` counts them, but at once for deep networks too.

    Where the units after the first of a stage are alike (``spec.repeats``), the counts are linear in their number:
    two units a stage are counted, and the second stands for the others.
    """
    if not spec.repeats:
        counted = cost(spec, input_shape)
        return counted.parameters, counted.multiply_adds
    depths = getattr(spec, spec.repeats)
    kept = [min(depth, 2) for depth in depths] if isinstance(depths, tuple) else min(depths, 2)
    short = cost(spec.change(**{spec.repeats: kept}), input_shape)
    parameters, multiply_adds = short.parameters, short.multiply_adds
    for stage, depth in enumerate(depths if isinstance(depths, tuple) else (depths,)):
        unit = _sum("", [layer for layer in short.layers if layer.name.startswith(f"stages.{stage}.1.")])
        parameters += max(depth - 2, 0) * unit.parameters
        multiply_adds += max(depth - 2, 0) * unit.multiply_adds
    return parameters, multiply_adds


def _conv(conv: Any, call: Call) -> int:
    return math.prod(call.output) * conv.in_channels // conv.groups * math.prod(conv.kernel_size)


def _transposed(conv: Any, call: Call) -> int:
    return math.prod(call.input) * conv.out_channels // conv.groups * math.prod(conv.kernel_size)


def _linear(linear: Any, call: Call) -> int:
    return math.prod(call.output) * linear.in_features


def _attention(attention: Any, call: Call) -> int:
    length, width = call.input
    return 2 * length**2 * width


# the first kind that a module is an instance of
_COUNTED: tuple[tuple[type[nn.Module], Callable[[Any, Call], int]], ...] = (
    (_ConvTransposeNd, _transposed),
    (_ConvNd, _conv),
    (nn.Linear, _linear),
    (SelfAttention, _attention),
)


def _multiply_adds(call: Call) -> int:
    return next((rule(call.module, call) for kind, rule in _COUNTED if isinstance(call.module, kind)), 0)


def _part(name: str) -> str:
    stage = re.match(r"stages\.(\d+)\.", name)
    return f"stage{int(stage[1]) + 1}" if stage else name.split(".")[0] or "model"


def _sum(part: str, layers: Sequence[LayerCost]) -> PartCost:
    return PartCost(
        part=part,
        parameters=sum(layer.parameters for layer in layers),
        multiply_adds=sum(layer.multiply_adds for layer in layers),
    )

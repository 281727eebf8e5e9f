"""Wide ResNets (Zagoruyko & Komodakis 2016): few layers with many channels. The spec is ResNet's; imports no torch.

``wrn_28_10`` is WRN-28-10: three stages of pre-activated basic units with ten times ResNet's 16, 32 and 64 channels,
behind a stem of 16. The name's 28 = 6n+4 counts the three projections and not the fully connected layer, so that
residua's own ``depth``, which counts the other way, is two less. Dropout between the convolutions is a keyword:
``unit={"dropout": 0.3}`` is the paper's on CIFAR.

The stem is a convolution alone, as in the authors' code (szagoruyko/wide-residual-networks): of a ``wrn_*_1``, whose
first unit keeps the shape, the first shortcut carries what has passed no norm. In residua 0.1 it carried what the
stem's norm and ReLU gave (``stem="cifar"``); its files say so in their spec and keep that arithmetic.
"""

from __future__ import annotations

import re
from typing import Any

from residua.errors import UsageError
from residua.models.orders import FullPreact
from residua.models.resnet import ResNetSpec, build
from residua.models.stems.cifar import BareCifarStemSpec
from residua.registry import Family, model_spec, register
from residua.spec import ModelSpec

# depth, widening (Zagoruyko & Komodakis 2016, Tables 4, 6 and 9); 10-1 is for tests
_CIFAR = (
    *((10, 1), (16, 4), (16, 8), (16, 10), (22, 8), (22, 10), (28, 10), (28, 12)),
    *((40, 1), (40, 2), (40, 4), (40, 8), (40, 10), (52, 1)),
)
# Tables 7 and 8: basic units are widened as a whole, bottlenecks in their 3x3 only
_IMAGENET = ((18, 2), (18, 3), (34, 2), (50, 2), (101, 2))


def _cifar_spec(depth: int, widening: int) -> ResNetSpec:
    n, rest = divmod(depth - 4, 6)
    if rest or n < 1:
        below = max(n, 1) * 6 + 4
        raise UsageError(f"depth {depth} is not 6n+4; the nearest are {below} and {below + 6}")
    return ResNetSpec(
        family="wide_resnet",
        name=f"wrn_{depth}_{widening}",
        depths=(n, n, n),
        widths=(16 * widening, 32 * widening, 64 * widening),
        stem=BareCifarStemSpec(width=16),
        order=FullPreact(),
        num_classes=10,
    )


def _imagenet_spec(depth: int, widening: int) -> ResNetSpec:
    narrow = model_spec(f"resnet{depth}")
    assert isinstance(narrow, ResNetSpec)
    widths = narrow.widths
    wide: dict[str, Any] = {"unit.path_width": widths[0] * widening}
    if narrow.unit.kind == "basic":
        wide = {"widths": tuple(width * widening for width in widths), "stem.width": widths[0]}
    return narrow.change(family="wide_resnet", name=f"wide_resnet{depth}_{widening}", **wide)


def earlier_reading(spec: ModelSpec) -> str:
    """What a file of residua 0.1 computes otherwise than the authors' network of its name; empty if nothing."""
    if not isinstance(spec, ResNetSpec) or spec.family != "wide_resnet" or not spec.name.startswith("wrn_"):
        return ""
    if spec.stem.kind != "cifar" or spec.widths[0] != spec.stem_channels:
        return ""
    return (
        f"{spec.name} as residua 0.1 had it: its first shortcut starts after the stem's norm and ReLU (stem = cifar), "
        "the authors' at the stem's convolution (stem = cifar-conv)"
    )


def _from_name(match: re.Match[str], changes: dict[str, Any]) -> ResNetSpec:
    make = _cifar_spec if match["kind"] == "wrn_" else _imagenet_spec
    return make(int(match["depth"]), int(match["widening"]))


_SPECS = (*(_cifar_spec(*row) for row in _CIFAR), *(_imagenet_spec(*row) for row in _IMAGENET))

register(
    Family(
        name="wide_resnet",
        spec_class=ResNetSpec,
        build=build,
        named={spec.name: spec for spec in _SPECS},
        patterns={
            r"(?P<kind>wrn_)(?P<depth>[0-9]{1,4})_(?P<widening>[1-9][0-9]?)": _from_name,
            r"(?P<kind>wide_resnet)(?P<depth>18|34|50|101|152)_(?P<widening>[1-9][0-9]?)": _from_name,
        },
        tiny="wrn_10_1",
    )
)

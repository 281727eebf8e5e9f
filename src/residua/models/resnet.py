"""ResNets and their plain counterparts (He et al. 2015; 2016), for ImageNet and for CIFAR, from one spec.

Importing this file imports no torch: the table can be listed at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from residua.errors import UsageError
from residua.models.staged import StagedSpec, build
from residua.registry import Family, register

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, kw_only=True)
class ResNetSpec(StagedSpec):
    """A residual (or plain) network of stages.

    ResNeXt and Wide ResNet are rows of this spec under family names of their own.
    """

    stored_as: ClassVar[str] = "resnet"

    family: str = "resnet"


# depth: unit, units a stage (He et al. 2015, Table 1)
_IMAGENET: dict[int, tuple[str, tuple[int, ...]]] = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
_CIFAR_RESIDUAL = (20, 32, 44, 56, 110, 164, 1001, 1202)
_CIFAR_PLAIN = (20, 32, 44, 56, 110)
_BOTTLENECK_BY_NAME = (164, 1001)  # 164 fits both formulas; He et al. 2016 means bottlenecks

# what can be appended to the name of a CIFAR ResNet
_VARIANTS: dict[str, dict[str, Any]] = {
    # He et al. 2016, Table 2 and Figure 4 (e is preact)
    "bn_after_addition": {"order": "bn_after_addition"},
    "relu_before_addition": {"order": "relu_before_addition"},
    "relu_only_preact": {"order": "relu_only_preact"},
    # He et al. 2016, Table 1 and Figure 2. A projection has a norm: the caption of Figure 2 leaves norms out of the
    # drawing and says that one stands after every weight layer.
    "half_shortcut": {"merge": "constant_scaling(shortcut=0.5, branch=1.0)"},
    "constant_scaling": {"merge": "constant_scaling(shortcut=0.5, branch=0.5)"},
    "exclusive_gating": {"merge": "exclusive_gating"},
    "shortcut_only_gating": {"merge": "shortcut_only_gating"},
    "conv_shortcut": {"shortcut": "C"},
    "dropout_shortcut": {"shortcut": "dropout"},
    # Huang et al. 2016, sec. 4: p_L = 0.5
    "stochastic_depth": {"drop_path": "drop_path(0.5, mode='batch')"},
}
_CIFAR_VARIANTS = {
    20: tuple(_VARIANTS),
    110: tuple(_VARIANTS),
    164: ("bn_after_addition", "relu_before_addition", "relu_only_preact"),
    1202: ("stochastic_depth",),
}


CIFAR: dict[str, Any] = {"stem": "cifar", "shortcut": "A", "num_classes": 10}  # He et al. 2015, sec. 4.2


def cifar_spec(depth: int, *, unit: str | None = None, plain: bool = False) -> ResNetSpec:
    """The CIFAR net of a depth: 6n+2 with basic units, 9n+2 with bottlenecks (He et al. 2015, sec. 4.2; 2016).

    ``unit`` decides where both formulas fit; basic by default. Raises UsageError for a depth that fits none.
    """
    fits = {
        kind: depth > 2 and (depth - 2) % (3 * convs) == 0
        for kind, convs in (("basic", 2), ("bottleneck", 3))
    }
    if unit is not None and unit not in fits:
        raise UsageError(f"unit must be 'basic' or 'bottleneck', not {unit!r}")
    if unit is None:
        unit = "bottleneck" if depth in _BOTTLENECK_BY_NAME or not fits["basic"] else "basic"
    if not fits[unit]:
        formula, step = ("6n+2", 6) if unit == "basic" or not any(fits.values()) else ("9n+2", 9)
        below = max((depth - 2) // step, 1) * step + 2
        kinds = f"{formula} ({unit} units)" if any(fits.values()) else "6n+2 (basic) or 9n+2 (bottleneck)"
        raise UsageError(
            f"depth {depth} is not {kinds}; the nearest {formula} are {below} and {below + step}"
        )
    n = (depth - 2) // (6 if unit == "basic" else 9)
    parts: dict[str, Any] = {"unit": unit, "merge": "branch_only" if plain else "add", **CIFAR}
    return ResNetSpec(
        name=f"cifar_{'plain' if plain else 'resnet'}{depth}", depths=(n, n, n), widths=(16, 32, 64), **parts
    )


def _imagenet_specs() -> dict[str, ResNetSpec]:
    specs = {}
    for depth, (unit, depths) in _IMAGENET.items():
        parts: dict[str, Any] = {"unit": unit}
        resnet = ResNetSpec(name=f"resnet{depth}", depths=depths, **parts)
        specs[resnet.name] = resnet
        specs[f"preact_{resnet.name}"] = resnet.change(name=f"preact_{resnet.name}", order="full_preact")
        if unit == "bottleneck":
            specs[f"{resnet.name}_v1"] = resnet.change(
                name=f"{resnet.name}_v1", unit="bottleneck(stride_on='1x1')"
            )
        else:  # the paper's plain nets have basic units only
            name = f"plain{depth}"
            specs[name] = resnet.change(name=name, merge="branch_only", shortcut="A")
    return specs


def _cifar_specs() -> dict[str, ResNetSpec]:
    residual = [cifar_spec(depth) for depth in _CIFAR_RESIDUAL]
    preact = [s.change(name=f"cifar_preact_resnet{s.depth}", order="full_preact") for s in residual]
    plain = [cifar_spec(depth, plain=True) for depth in _CIFAR_PLAIN]
    variants = [_variant(cifar_spec(d), name) for d, names in _CIFAR_VARIANTS.items() for name in names]
    return {s.name: s for s in [*residual, *plain, *preact, *variants]}


def _variant(spec: ResNetSpec, variant: str) -> ResNetSpec:
    return spec.change(name=f"{spec.name}_{variant}", **_VARIANTS[variant])


def _formula_unit(changes: dict[str, Any]) -> str | None:
    """The unit that decides the formula, taken out of ``changes``; a user's own unit stays there as a change."""
    return changes.pop("unit") if changes.get("unit") in ("basic", "bottleneck") else None


def _cifar_from_name(match: re.Match[str], changes: dict[str, Any]) -> ResNetSpec:
    spec = cifar_spec(int(match["depth"]), unit=_formula_unit(changes), plain=match["kind"] == "plain")
    if match["preact"]:
        spec = spec.change(name=match[0], order="full_preact")
    return spec


def _variant_from_name(match: re.Match[str], changes: dict[str, Any]) -> ResNetSpec:
    return _variant(cifar_spec(int(match["depth"]), unit=_formula_unit(changes)), match["variant"])


register(
    Family(
        name="resnet",
        spec_class=ResNetSpec,
        build=build,
        named=_imagenet_specs() | _cifar_specs(),
        patterns={
            r"cifar_(?P<preact>preact_)?(?P<kind>resnet|plain)(?P<depth>[0-9]{1,5})": _cifar_from_name,
            rf"cifar_resnet(?P<depth>[0-9]{{1,5}})_(?P<variant>{'|'.join(_VARIANTS)})": _variant_from_name,
        },
        tiny="cifar_resnet8",
    )
)

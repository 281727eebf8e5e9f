"""ResNets and their plain counterparts (He et al. 2015; 2016), for ImageNet and for CIFAR, from one spec.

Importing this file imports no torch: the table can be listed at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from residua.errors import UsageError
from residua.models.units import unit_kind
from residua.registry import Family, register
from residua.spec import ModelSpec, positive

if TYPE_CHECKING:
    from residua.nn import ImageClassifier


@dataclass(frozen=True, kw_only=True)
class ResNetSpec(ModelSpec):
    """A residual (or plain) network of stages. ``depths`` counts units, ``widths`` the branches' 3x3 channels.

    ResNeXt and Wide ResNet are rows of this spec under family names of their own.
    """

    repeats: ClassVar[str] = "depths"

    family: str = "resnet"
    unit: str = "basic"  # a kind of residua.models.units
    depths: tuple[int, ...] = (2, 2, 2, 2)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    # cifar-conv: a convolution whose norm and ReLU stand in the first unit (Zagoruyko & Komodakis 2016)
    stem: Literal["imagenet", "imagenet-unpadded", "imagenet-pool-first", "cifar", "cifar-conv"] = "imagenet"
    stem_width: int | None = None  # None: as the first stage
    shortcut: Literal["A", "A-split", "B", "C", "dropout"] = "B"
    # branch_only: a plain network; the last three: He et al. 2016, sec. 3.1
    merge: Literal["add", "branch_only", "constant_scaling", "exclusive_gating", "shortcut_only_gating"] = (
        "add"
    )
    shortcut_scale: float = 0.5  # of constant_scaling
    branch_scale: float = 0.5  # of constant_scaling
    gate_bias: float = -6.0  # of both gatings: where b_g starts; -6 is the paper's best
    # He et al. 2016, Figure 4
    order: Literal[
        "original", "bn_after_addition", "relu_before_addition", "relu_only_preact", "full_preact"
    ] = "original"
    expansion: int = 4  # of bottlenecks
    stride_on: Literal["1x1", "3x3"] = "3x3"  # of bottlenecks: "1x1" is the paper's v1, "3x3" is v1.5
    cardinality: int = 1  # of bottlenecks: paths of the 3x3 (Xie et al. 2016)
    path_width: int | None = None  # of bottlenecks: channels of a path in the first stage; None: its width
    dropout: float = 0.0  # before the last convolution of a branch (Zagoruyko & Komodakis 2016, sec. 2.4)
    zero_init: bool = False  # start every branch at zero
    output_stride: int | None = (
        None  # of the last maps: dilation stands in for the strides beyond it (None: all halve)
    )
    drop_path: float = 0.0
    drop_path_rule: Literal["linear", "uniform"] = "linear"
    drop_path_mode: Literal["sample", "batch"] = "sample"

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "expansion", "cardinality")
        unit_kind(self.unit)
        if not self.depths or len(self.depths) != len(self.widths):
            raise UsageError(
                f"depths and widths must be equally long and not empty: {list(self.depths)}, {list(self.widths)}"
            )
        if min(self.depths) < 1 or min(self.widths) < 1:
            raise UsageError(
                f"every stage needs a unit and a channel: {list(self.depths)}, {list(self.widths)}"
            )
        for name in ("stem_width", "path_width"):
            if getattr(self, name) is not None:
                positive(self, name)
        for name in ("drop_path", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} must be in [0, 1), not {getattr(self, name)}")
        if self.unit in ("basic", "one_layer") and (self.cardinality, self.path_width) != (1, None):
            raise UsageError(
                f"cardinality and path_width are of bottlenecks: unit={self.unit!r} has no 3x3 between 1x1s"
            )
        if self.cardinality > 1 and self.path_width is None:
            raise UsageError(
                f"{self.cardinality} paths need a path_width, the channels of each in the first stage"
            )
        if min(self.inner_width(width) for width in self.widths) < 1:
            raise UsageError(
                f"path_width {self.path_width} leaves a stage of widths {list(self.widths)} without channels"
            )
        if self.stem == "cifar-conv" and self.order != "full_preact":
            raise UsageError(
                "stem 'cifar-conv' leaves norm and ReLU to the first unit, which needs order='full_preact'; "
                "stem 'cifar' has its own"
            )
        known = [self.stem_stride * 2**i for i in range(len(self.widths))]
        if self.output_stride not in (None, *known):
            raise UsageError(f"output_stride must be one of {known}, not {self.output_stride}")
        if self.drop_path and self.merge == "branch_only":
            raise UsageError("a plain network has no shortcut to fall back on: drop_path needs merge='add'")
        if self.zero_init and self.merge == "branch_only":
            raise UsageError(
                "a plain network whose branches start at zero cannot learn: zero_init needs merge='add'"
            )

    @property
    def depth(self) -> int:
        """Convolutions on the main path and the fully connected layer; projections and norms do not count."""
        return sum(self.depths) * unit_kind(self.unit).convolutions + 2

    @property
    def out_widths(self) -> tuple[int, ...]:
        """Channels that each stage gives."""
        factor = self.expansion if unit_kind(self.unit).expands else 1
        return tuple(width * factor for width in self.widths)

    def inner_width(self, width: int) -> int:
        """Channels of the 3x3 of a bottleneck in a stage of ``width``: those of all its paths."""
        if self.path_width is None:
            return width
        return self.path_width * width // self.widths[0] * self.cardinality

    @property
    def usual_input(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of the images that the papers feed it: 224 px with the ImageNet stem, 32 on CIFAR."""
        side = 32 if self.stem_stride == 1 else 224
        return self.in_channels, side, side

    @property
    def stem_stride(self) -> int:
        """How much smaller than the image the first stage's maps are."""
        return 1 if self.stem in ("cifar", "cifar-conv") else 4

    @property
    def natural_strides(self) -> tuple[int, ...]:
        """Stride of each stage: the first keeps the map (the stem has reduced it), the others halve it."""
        return (1,) + (2,) * (len(self.widths) - 1)

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride that each stage keeps under ``output_stride``."""
        reduction, kept = self.stem_stride, []
        for stride in self.natural_strides:
            kept.append(
                stride if self.output_stride is None or reduction * stride <= self.output_stride else 1
            )
            reduction *= kept[-1]
        return tuple(kept)


def build(spec: ResNetSpec) -> ImageClassifier:
    """The network of a spec, initialised after He et al. from torch's default generator."""
    from residua.models.stages import build_stages

    return build_stages(spec)


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
    "half_shortcut": {"merge": "constant_scaling", "shortcut_scale": 0.5, "branch_scale": 1.0},
    "constant_scaling": {"merge": "constant_scaling", "shortcut_scale": 0.5, "branch_scale": 0.5},
    "exclusive_gating": {"merge": "exclusive_gating"},
    "shortcut_only_gating": {"merge": "shortcut_only_gating"},
    "conv_shortcut": {"shortcut": "C"},
    "dropout_shortcut": {"shortcut": "dropout"},
    # Huang et al. 2016, sec. 4: p_L = 0.5
    "stochastic_depth": {"drop_path": 0.5, "drop_path_mode": "batch"},
}
_CIFAR_VARIANTS = {
    20: tuple(_VARIANTS),
    110: tuple(_VARIANTS),
    164: ("bn_after_addition", "relu_before_addition", "relu_only_preact"),
    1202: ("stochastic_depth",),
}


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
    return ResNetSpec(
        name=f"cifar_{'plain' if plain else 'resnet'}{depth}",
        unit=unit,
        depths=(n, n, n),
        widths=(16, 32, 64),
        stem="cifar",
        shortcut="A",
        merge="branch_only" if plain else "add",
        num_classes=10,
    )


def _imagenet_specs() -> dict[str, ResNetSpec]:
    specs = {}
    for depth, (unit, depths) in _IMAGENET.items():
        resnet = ResNetSpec(name=f"resnet{depth}", unit=unit, depths=depths)
        specs[resnet.name] = resnet
        specs[f"preact_{resnet.name}"] = resnet.change(name=f"preact_{resnet.name}", order="full_preact")
        if unit == "bottleneck":
            specs[f"{resnet.name}_v1"] = resnet.change(name=f"{resnet.name}_v1", stride_on="1x1")
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
    return changes.pop("unit", None) if changes.get("unit") in ("basic", "bottleneck") else None


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

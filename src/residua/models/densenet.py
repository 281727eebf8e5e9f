"""DenseNets (Huang et al. 2017, *Densely Connected Convolutional Networks*), for ImageNet and for CIFAR.

Every dense layer is a Residual unit whose merge is ``Concat``: the shortcut carries what all earlier layers made, and
the branch adds ``growth_rate`` channels. Stochastic depth then means that a dropped layer's new features are zero for
all later layers, while everything older passes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from residua.errors import UsageError
from residua.models.merges.sums import ConcatMerge
from residua.models.orders import FullPreact
from residua.models.shortcuts.identity import IdentityShortcut
from residua.models.slots import MergeSpec, OrderSpec, ShortcutSpec, StemSpec, TransitionSpec, UnitSpec
from residua.models.staged import StagedSpec, build
from residua.models.stems.cifar import BareCifarStemSpec
from residua.models.stems.imagenet import ImageNetStemSpec
from residua.models.transitions import DenseTransition
from residua.models.units.dense import DenseUnit
from residua.registry import Family, register


@dataclass(frozen=True, kw_only=True)
class DenseNetSpec(StagedSpec):
    """Dense blocks with transitions between them. ``depths`` counts the dense layers of each block."""

    stored_as: ClassVar[str] = "densenet"
    repeats: ClassVar[str] = ""  # every layer gets more channels than the one before
    tail_is_named: ClassVar[bool] = True

    family: str = "densenet"
    depths: tuple[int, ...] = (6, 12, 24, 16)
    widths: tuple[int, ...] = ()
    unit: UnitSpec = DenseUnit()
    shortcut: ShortcutSpec = IdentityShortcut()
    merge: MergeSpec = ConcatMerge()
    order: OrderSpec = FullPreact()
    stem: StemSpec = ImageNetStemSpec(width=64)
    transition: TransitionSpec = DenseTransition()

    def validate(self) -> None:  # noqa: D102
        super().validate()
        if self.stem.kind == "cifar":
            raise UsageError("a dense layer starts with norm and ReLU: small images take stem 'cifar-conv'")


def cifar_spec(depth: int, growth_rate: int, *, bc: bool = False) -> DenseNetSpec:
    """The three-block CIFAR net of a depth (Huang et al. 2017, sec. 3): 3n+4 layers, 6n+4 with bottlenecks (BC).

    Raises UsageError for a depth that fits no n, with the nearest that do.
    """
    step = 6 if bc else 3
    if depth < step + 4 or (depth - 4) % step:
        below = max((depth - 4) // step, 1) * step + 4
        raise UsageError(
            f"depth {depth} is not {step}n+4 ({'with' if bc else 'no'} bottlenecks); "
            f"the nearest are {below} and {below + step}"
        )
    n = (depth - 4) // step
    return DenseNetSpec(
        name=f"densenet_{'bc_' if bc else ''}{depth}_{growth_rate}",
        depths=(n, n, n),
        unit=DenseUnit(growth_rate=growth_rate, bottleneck=4 if bc else 0),
        stem=BareCifarStemSpec(width=2 * growth_rate if bc else 16),  # sec. 3, implementation details
        transition=DenseTransition(compression=0.5 if bc else 1.0),
        num_classes=10,
    )


# depth: layers of each block, growth rate (Huang et al. 2017, Table 1; 161 has k = 48)
_IMAGENET: dict[int, tuple[tuple[int, ...], int]] = {
    121: ((6, 12, 24, 16), 32),
    161: ((6, 12, 36, 24), 48),
    169: ((6, 12, 32, 32), 32),
    201: ((6, 12, 48, 32), 32),
}
# Table 2: depth, growth rate, bottlenecks and compression
_CIFAR = (
    (40, 12, False),
    (100, 12, False),
    (100, 24, False),
    (100, 12, True),
    (250, 24, True),
    (190, 40, True),
)
_TINY = cifar_spec(22, 8, bc=True).change(name="densenet_tiny")


def _named() -> dict[str, DenseNetSpec]:
    imagenet = [
        DenseNetSpec(
            name=f"densenet{depth}",
            depths=depths,
            unit=DenseUnit(growth_rate=growth),
            stem=ImageNetStemSpec(width=2 * growth),
        )
        for depth, (depths, growth) in _IMAGENET.items()
    ]
    cifar = [cifar_spec(depth, growth, bc=bc) for depth, growth, bc in _CIFAR]
    return {spec.name: spec for spec in [*imagenet, *cifar, _TINY]}


def _from_name(match: re.Match[str], _: dict[str, Any]) -> DenseNetSpec:
    return cifar_spec(int(match["depth"]), int(match["growth"]), bc=bool(match["bc"]))


register(
    Family(
        name="densenet",
        spec_class=DenseNetSpec,
        build=build,
        named=_named(),
        patterns={r"densenet_(?P<bc>bc_)?(?P<depth>[0-9]{1,4})_(?P<growth>[0-9]{1,4})": _from_name},
        tiny=_TINY.name,
    )
)

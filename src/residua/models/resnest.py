"""ResNeSts (Zhang et al. 2020, *ResNeSt: Split-Attention Networks*).

A bottleneck ResNet whose 3x3 is split attention, with the tweaks of ResNet-D (a deep stem, pooled projections) and
strides taken by average pooling. Split attention is no unit; the bottleneck around it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from residua.models.shortcuts.projection import PooledShortcut
from residua.models.slots import ShortcutSpec, StemSpec, UnitSpec
from residua.models.staged import StagedSpec, build
from residua.models.stems.cifar import CifarStemSpec
from residua.models.stems.imagenet import DeepStemSpec
from residua.models.units.split_attention import SplitAttentionUnit
from residua.registry import Family, register


@dataclass(frozen=True, kw_only=True)
class ResNeStSpec(StagedSpec):
    """Stages of split-attention bottlenecks. ``widths`` are the 3x3 channels at cardinality 1 and base width 64."""

    stored_as: ClassVar[str] = "resnest"

    family: str = "resnest"
    depths: tuple[int, ...] = (3, 4, 6, 3)
    unit: UnitSpec = SplitAttentionUnit()
    shortcut: ShortcutSpec = PooledShortcut()
    stem: StemSpec = DeepStemSpec(width=64)


def _row(name: str, depths: tuple[int, ...], stem_width: int = 64, **unit: Any) -> ResNeStSpec:
    stem, branch = DeepStemSpec(width=stem_width), SplitAttentionUnit(**unit)
    return ResNeStSpec(name=name, depths=depths, stem=stem, unit=branch)


_NAMED = (
    _row("resnest14", (1, 1, 1, 1)),
    _row("resnest26", (2, 2, 2, 2)),
    _row("resnest50", (3, 4, 6, 3)),
    _row("resnest101", (3, 4, 23, 3), 128),
    _row("resnest200", (3, 24, 36, 3), 128),
    _row("resnest269", (3, 30, 48, 8), 128),
    # ablations of the reference implementation: radix, cardinality, base width
    _row("resnest50_fast_1s1x64d", (3, 4, 6, 3), pool_first=True, radix=1),
    _row("resnest50_fast_2s1x64d", (3, 4, 6, 3), pool_first=True),
    _row("resnest50_fast_4s2x40d", (3, 4, 6, 3), pool_first=True, radix=4, cardinality=2, base_width=40),
    _row("resnest50_fast_1s4x24d", (3, 4, 6, 3), pool_first=True, radix=1, cardinality=4, base_width=24),
    ResNeStSpec(
        name="resnest_tiny",
        depths=(1, 1, 1),
        widths=(8, 16, 32),
        stem=CifarStemSpec(width=16),
        num_classes=10,
    ),
)

register(
    Family(
        name="resnest",
        spec_class=ResNeStSpec,
        build=build,
        named={spec.name: spec for spec in _NAMED},
        tiny="resnest_tiny",
    )
)

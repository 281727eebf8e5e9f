"""ConvNeXts (Liu et al. 2022, *A ConvNet for the 2020s*). Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from residua.models import staged
from residua.models.activations import GeluSpec
from residua.models.heads import NormedHeadSpec
from residua.models.merges.scaled import LayerScaleMerge
from residua.models.norms import ChannelNormSpec
from residua.models.orders import NoOrder
from residua.models.shortcuts.identity import IdentityShortcut
from residua.models.slots import (
    ActivationSpec,
    HeadSpec,
    MergeSpec,
    NormSpec,
    OrderSpec,
    ShortcutSpec,
    StemSpec,
    TransitionSpec,
    UnitSpec,
)
from residua.models.stems.patches import PatchStemSpec
from residua.models.transitions import ConvTransition
from residua.models.units.inverted import InvertedUnit
from residua.registry import Family, register

if TYPE_CHECKING:
    from residua.nn import ImageClassifier


@dataclass(frozen=True, kw_only=True)
class ConvNeXtSpec(staged.StagedSpec):
    """Stages of inverted units, with a norm and a strided convolution between them."""

    table: ClassVar[str] = "convnext"

    family: str = "convnext"
    depths: tuple[int, ...] = (3, 3, 9, 3)
    widths: tuple[int, ...] = (96, 192, 384, 768)
    unit: UnitSpec = InvertedUnit()
    shortcut: ShortcutSpec = IdentityShortcut()
    merge: MergeSpec = LayerScaleMerge()
    order: OrderSpec = NoOrder()
    norm: NormSpec = ChannelNormSpec()
    activation: ActivationSpec = GeluSpec()
    stem: StemSpec = PatchStemSpec()
    transition: TransitionSpec = ConvTransition()
    head: HeadSpec = NormedHeadSpec()


def build(spec: ConvNeXtSpec) -> ImageClassifier:
    """The network of a spec, initialised from torch's default generator."""
    from residua.nn import convnext_init

    return staged.build(spec, convnext_init)


# Liu et al. 2022, sec. 3: units of each stage, channels of the first
_SIZES = {
    "tiny": ((3, 3, 9, 3), 96),
    "small": ((3, 3, 27, 3), 96),
    "base": ((3, 3, 27, 3), 128),
    "large": ((3, 3, 27, 3), 192),
}


def _named() -> dict[str, ConvNeXtSpec]:
    specs = [
        ConvNeXtSpec(
            name=f"convnext_{size}", depths=depths, widths=tuple(width << stage for stage in range(4))
        )
        for size, (depths, width) in _SIZES.items()
    ]
    # own, for small images: patches of 2 px, and a larger start, for few steps
    small: dict[str, Any] = {"stem": "patches(patch=2)", "merge": "layer_scale(0.1)", "num_classes": 10}
    specs.append(ConvNeXtSpec(name="convnext_digits", depths=(2, 2), widths=(32, 64), **small))
    return {spec.name: spec for spec in specs}


register(
    Family(
        name="convnext",
        spec_class=ConvNeXtSpec,
        build=build,
        named=_named(),
        tiny="convnext_digits",
        recipe="vit",
    )
)

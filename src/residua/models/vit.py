"""Vision Transformers (Dosovitskiy et al. 2021; sizes Ti and S of Touvron et al. 2021), and small ones.

Importing this file imports no torch: the table can be listed at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from residua.errors import UsageError
from residua.models.layers import LayersSpec
from residua.registry import Family, register
from residua.spec import positive

if TYPE_CHECKING:
    from residua.nn import ImageClassifier


@dataclass(frozen=True, kw_only=True)
class ViTSpec(LayersSpec):
    """A Vision Transformer for square images of one size."""

    family: str = "vit"
    image_size: int = 224
    patch: int = 16
    pool: Literal["token", "avg"] = "token"  # what the head sees: the class token, or the mean of the patches

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "image_size", "patch")
        if self.image_size % self.patch:
            raise UsageError(f"patches of {self.patch} px do not divide images of {self.image_size} px")

    @property
    def depth(self) -> int:
        """Layers, as the papers count: each is four fully connected layers and the attention between them."""
        return self.layers

    @property
    def usual_input(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of the images that it takes."""
        return self.in_channels, self.image_size, self.image_size


def build(spec: ViTSpec) -> ImageClassifier:
    """The network of a spec, initialised from torch's default generator."""
    from torch import nn

    from residua.nn import Chain, ImageClassifier
    from residua.nn import transformer as bricks
    from residua.nn.head import PoolHead, TokenPool

    eps = 1e-6
    side = spec.image_size // spec.patch
    network = ImageClassifier(
        spec=spec,
        stem=bricks.PatchStem(
            spec.in_channels, spec.image_size, spec.patch, spec.width, dropout=spec.dropout
        ),
        stem_reduction=spec.patch,
        stages=[Chain(*bricks.transformer_layers(spec, eps=eps))],
        widths=(spec.width,),
        strides=(1,),
        tail=nn.LayerNorm(spec.width, eps=eps) if spec.norm == "pre" else None,
        head=PoolHead(spec.width, spec.num_classes, TokenPool(spec.pool)),
        grid=(side, side),
        ends=spec.merge.ends(),
    )
    bricks.transformer_init(network)
    return network


# size: layers, width, heads (Dosovitskiy et al. 2021, Table 1; Touvron et al. 2021, Table 1)
_SIZES = {"ti": (12, 192, 3), "s": (12, 384, 6), "b": (12, 768, 12), "l": (24, 1024, 16)}
# own ones, for small images: image size, patch, channels, layers, width, heads
_SMALL = {
    "vit_digits": (8, 2, 1, 6, 64, 4),
    "cifar_vit_mini": (32, 4, 3, 6, 128, 4),
    "cifar_vit_ti": (32, 4, 3, 12, 192, 3),
    "cifar_vit_s": (32, 4, 3, 12, 384, 6),
}


def _specs() -> dict[str, ViTSpec]:
    specs = [
        ViTSpec(name=f"vit_{size}_{patch}", patch=patch, layers=layers, width=width, heads=heads)
        for size, (layers, width, heads) in _SIZES.items()
        for patch in (16, 32)
    ]
    for name, (image_size, patch, channels, layers, width, heads) in _SMALL.items():
        specs.append(
            ViTSpec(
                name=name,
                image_size=image_size,
                patch=patch,
                in_channels=channels,
                num_classes=10,
                layers=layers,
                width=width,
                heads=heads,
            )
        )
    return {spec.name: spec for spec in specs}


register(Family(name="vit", spec_class=ViTSpec, build=build, named=_specs(), recipe="vit", tiny="vit_digits"))

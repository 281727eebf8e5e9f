"""Transformers over text (Vaswani et al. 2017): the language model (causal) and the encoder, bytes by default.

Importing this file imports no torch: the table can be listed at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.models.layers import LayersSpec
from residua.registry import Family, register
from residua.spec import positive

if TYPE_CHECKING:
    from residua.nn import Transformer


@dataclass(frozen=True, kw_only=True)
class TransformerSpec(LayersSpec):
    """A language model, or with ``causal=False`` an encoder, which has one more symbol: the mask."""

    takes_tokens: ClassVar[bool] = True

    family: str = "transformer"
    num_classes: int = 256  # symbols that it tells apart at each position
    in_channels: int = 1
    vocabulary: int = 256  # symbols that it reads: bytes
    context: int = 128  # positions
    causal: bool = True

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "vocabulary", "context")

    @property
    def depth(self) -> int:
        """Layers, as the papers count."""
        return self.layers

    @property
    def usual_input(self) -> tuple[int]:
        """Shape (L,) of a text."""
        return (self.context,)


def build(spec: TransformerSpec) -> Transformer:
    """The network of a spec, initialised from torch's default generator."""
    from torch import nn

    from residua.nn import transformer as bricks
    from residua.nn.head import PoolHead

    eps = 1e-5
    symbols = spec.vocabulary if spec.causal else spec.vocabulary + 1
    network = bricks.Transformer(
        spec=spec,
        stem=bricks.TokenStem(symbols, spec.context, spec.width, dropout=spec.dropout),
        layers=bricks.transformer_layers(spec, causal=spec.causal, eps=eps),
        tail=nn.LayerNorm(spec.width, eps=eps) if spec.norm == "pre" else None,
        head=PoolHead(spec.width, spec.num_classes, nn.Identity()),
        ends=spec.merge.ends(),
    )
    bricks.transformer_init(network)
    return network


# size: layers, width, heads
_SIZES = {"tiny": (2, 64, 2), "small": (4, 128, 4), "base": (6, 256, 8)}


def _specs() -> dict[str, TransformerSpec]:
    specs = []
    for size, (layers, width, heads) in _SIZES.items():
        spec = TransformerSpec(name=f"transformer_{size}", layers=layers, width=width, heads=heads)
        specs += [
            spec,
            spec.change(name=f"transformer_postnorm_{size}", norm="post"),
            spec.change(name=f"transformer_plain_{size}", merge="branch_only"),
            spec.change(name=f"transformer_encoder_{size}", causal=False),
        ]
    return {spec.name: spec for spec in specs}


register(
    Family(
        name="transformer",
        spec_class=TransformerSpec,
        build=build,
        named=_specs(),
        task="language",
        source="text",
        recipe="language",
        tiny="transformer_tiny",
        # torch.fx cannot follow the context that goes to every layer
        capabilities=frozenset({"export", "compile"}),
    )
)

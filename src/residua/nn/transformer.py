"""Transformers: a stem that makes positions ``(N, L, width)``, layers of two residual units each, a norm, a head.

Over images they are an ``ImageClassifier`` with a ``PatchStem``, over text a ``Transformer``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

from residua.errors import UsageError
from residua.nn.attention import SelfAttention
from residua.nn.conventions import Classifier, Ends, PositionStem
from residua.nn.head import PoolHead
from residua.nn.merge import Sum
from residua.nn.mlp import Mlp
from residua.nn.recording import recorded
from residua.nn.residual import Chain, Residual, residual_units


class PatchStem(PositionStem):
    """Patches of an image as vectors, a class token before them, a learned position added (Dosovitskiy et al. 2021).

    Shapes: images ``(N, in_channels, size, size)`` to ``(N, 1 + (size / patch)^2, width)``. Raises UsageError for
    other images.
    """

    scale = 1.0  # deviation of a patch's vector, of normalised images; positions have to compare with it

    def __init__(self, in_channels: int, size: int, patch: int, width: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.size = size
        self.patch = nn.Conv2d(in_channels, width, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 1 + (size // patch) ** 2, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """The positions of an image, the class token first."""
        images = (self.patch.in_channels, self.size, self.size)
        if not recorded(x) and (x.ndim != 4 or x.shape[1:] != images):
            raise UsageError(
                f"this network takes images of {self.patch.in_channels}x{self.size}x{self.size}, got "
                f"{'x'.join(map(str, x.shape[1:]))}; build it with image_size and in_channels of the images"
            )
        patches = self.patch(x).flatten(2).transpose(1, 2)  # (N, patches, width)
        tokens = torch.cat((self.token.expand(x.shape[0], -1, -1), patches), dim=1)
        return self.dropout(tokens + self.positions)


class TokenStem(PositionStem):
    """Symbols as vectors, a learned position added.

    Shapes: integers ``(N, L)`` from 0 to ``symbols - 1``, L at most ``context``, to ``(N, L, width)``. Raises
    UsageError for what is not of this kind, or longer.
    """

    scale = 0.02  # deviation of a symbol's vector (Radford et al. 2019)

    def __init__(self, symbols: int, context: int, width: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.symbols = nn.Embedding(symbols, width)
        self.positions = nn.Parameter(torch.zeros(context, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """The positions of a text."""
        context = len(self.positions)
        if tokens.ndim != 2 or tokens.is_floating_point() or not 1 <= tokens.shape[1] <= context:
            raise UsageError(
                f"this network takes whole numbers (N, L) with L up to {context}, got "
                f"{tokens.dtype} of {'x'.join(map(str, tokens.shape))}"
            )
        return self.dropout(self.symbols(tokens) + self.positions[: tokens.shape[1]])


class Transformer(Classifier):
    """``head(tail(stages(stem(x))))`` of a text.

    Args:
        stem: makes positions of the input and refuses what is not of its kind.
        layers: what ``transformer_layers`` makes; they are the one stage.
        head: makes logits of every position.
        tail: the norm that pre-norm layers need after the last sum; identity by default.
        spec: kept as ``model.spec``.
        ends: as of a ``Classifier``.

    Context, such as ``mask``, goes to every layer.

    """

    def __init__(
        self,
        *,
        spec: Any,
        stem: TokenStem,
        layers: Iterable[Chain],
        head: PoolHead,
        tail: nn.Module | None = None,
        ends: Ends | None = None,
    ) -> None:
        super().__init__(spec=spec, stem=stem, stages=Chain(Chain(*layers)), tail=tail, head=head, ends=ends)

    def forward_features(self, x: Tensor, **context: Any) -> Tensor:
        """Every position after the last layer, ``(N, L, num_features)``."""
        return self.tail(self.leave(self.stages(self.enter(self.stem(x)), **context)))

    def forward(self, x: Tensor, **context: Any) -> Tensor:
        """Logits."""
        return self.forward_head(self.forward_features(x, **context))


def transformer_layers(spec: Any, *, causal: bool = False, eps: float) -> Iterable[Chain]:
    """The layers of a ``LayersSpec``: attention and the position-wise network, a residual unit each.

    ``norm="pre"``: ``x + F(norm(x))`` (Xiong et al. 2020, Figure 1b; the full pre-activation of He et al. 2016);
    ``"post"``: ``norm(x + F(x))`` (Vaswani et al. 2017, sec. 3.1), the norm where He et al. 2015 have their ReLU.
    """
    drops, index = spec.drop_path.build(2 * spec.layers), count()

    def unit(**function: nn.Module) -> Residual:
        norm = nn.LayerNorm(spec.width, eps=eps)
        before = {"norm": norm} if spec.norm == "pre" else {}
        return Residual(
            Chain(OrderedDict(before | function)),
            merge=spec.merge_at(next(index)),
            activation=norm if spec.norm == "post" else None,
            drop_path=next(drops),
        )

    for _ in range(spec.layers):
        attention = SelfAttention(spec.width, spec.heads, causal=causal, dropout=spec.dropout)
        mlp = Mlp(spec.width, spec.mlp_ratio * spec.width, dropout=spec.dropout)
        yield Chain(OrderedDict(attention=unit(attention=attention), mlp=unit(mlp=mlp)))


def transformer_init(model: Classifier) -> None:
    """Weights from a normal distribution of variance 1 / fan-in (LeCun et al. 1998, sec. 4.6), biases zero.

    Positions, class token and symbols have the deviation ``stem.scale``. The 0.02 that large models have everywhere
    (Radford et al. 2019; Touvron et al. 2021) is too small for narrow ones: it shrinks what a layer of 64 gives to a
    sixth, and beside a patch's vector such positions cannot be seen until they have grown. Each unit's last layer is
    divided by the square root of the number of units, so that the sum over all of them keeps its size (Radford et
    al. 2019, sec. 2.3); without shortcuts there is no such sum.
    """
    stem = model.stem
    assert isinstance(stem, PositionStem)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.trunc_normal_(module.weight, std=module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=stem.scale)
    for parameter in stem.parameters(recurse=False):  # the class token and the positions
        nn.init.normal_(parameter, std=stem.scale)
    units = [unit for unit in residual_units(model).values() if isinstance(unit.merge, Sum)]
    with torch.no_grad():
        for unit in units:
            last = [m for m in unit.branch.modules() if isinstance(m, nn.Linear)][-1]
            last.weight.mul_(len(units) ** -0.5)

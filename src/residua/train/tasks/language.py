"""Language modelling over bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from residua.data import AnyData
from residua.parts import register
from residua.runs.plan import Plan
from residua.spec import Metric, Recipe, TaskSpec
from residua.train.supervised import Sums, Supervised

Batch = tuple[Tensor, Tensor]  # bytes (N, L), and the byte that follows each of them (N, L)
_SEEN = -100  # a target that cross-entropy leaves out
_HIDDEN = 7  # an encoder is asked for one byte in seven: 15 % (Devlin et al. 2019, sec. 3.1)


@register
@dataclass(frozen=True, kw_only=True)
class Language(TaskSpec):
    """Cross-entropy of the next byte; an encoder, which sees it, is asked for bytes that are hidden from it instead.

    ``bits_per_byte`` is the mean cross-entropy, to the base 2, of the bytes that are asked for: 8 for a uniform guess.
    """

    kind: ClassVar[str] = "language"
    primary: ClassVar[Metric] = Metric("bits_per_byte", "min")
    samples: ClassVar[str] = "bytes"

    def make(self, network: Any, recipe: Recipe, plan: Plan, data: AnyData) -> Supervised:  # noqa: D102
        loss = partial(_loss, network)
        ask = partial(_ask, network.spec)
        return Supervised(
            network,
            recipe,
            plan,
            primary=self.primary,
            loss=loss,
            evaluate=lambda batch: loss(ask(batch, every_seventh=True))[1],
            prepare=partial(ask, every_seventh=False),
        )


def _ask(spec: Any, batch: Batch, *, every_seventh: bool) -> Batch:
    """What the network is asked for: of an encoder bytes drawn at random, or every seventh, always the same."""
    tokens, targets = batch
    if spec.causal:
        return tokens, targets
    if every_seventh:
        hidden = torch.arange(tokens.numel(), device=tokens.device).view(tokens.shape) % _HIDDEN == 0
    else:
        hidden = torch.randint(_HIDDEN, tokens.shape, device=tokens.device) == 0
    return hide(tokens, hidden, spec.vocabulary)


def hide(tokens: Tensor, hidden: Tensor, vocabulary: int) -> Batch:
    """Tokens with the mask, the symbol after the vocabulary, where ``hidden``; the targets are what it hides."""
    return tokens.masked_fill(hidden, vocabulary), tokens.masked_fill(~hidden, _SEEN)


def _loss(network: Any, batch: Batch) -> tuple[Tensor, Sums]:
    tokens, targets = batch
    logits = network(tokens).float().flatten(0, 1)  # (N * L, symbols)
    wanted = targets.flatten()
    count = (wanted != _SEEN).sum()
    loss = F.cross_entropy(logits, wanted, ignore_index=_SEEN, reduction="sum")
    correct = (logits.detach().argmax(1) == wanted).sum()
    nats = loss.detach()
    sums = {"loss": nats, "accuracy": correct, "bits_per_byte": nats / math.log(2), "count": count}
    return loss / count.clamp(min=1), sums

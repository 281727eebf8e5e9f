"""Language modelling over bytes as a Task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residua.data import Source
from residua.nn.residual import recomputing
from residua.runs.plan import Plan
from residua.spec import Recipe
from residua.train.compile import compiled
from residua.train.optimizer import make_optimizer, take_step
from residua.train.task import Metric

Batch = Sequence[Any]  # bytes (N, L), and the byte that follows each of them (N, L)
_SEEN = -100  # a target that cross-entropy leaves out
_HIDDEN = 7  # an encoder is asked for one byte in seven: 15 % (Devlin et al. 2019, sec. 3.1)


class Language:
    """Cross-entropy of the next byte; an encoder, which sees it, is asked for bytes that are hidden from it instead.

    ``bits_per_byte`` is the mean cross-entropy, to the base 2, of the bytes that are asked for: 8 for a uniform guess.
    """

    primary = Metric("bits_per_byte", "min")

    def __init__(self, model: nn.Module, recipe: Recipe, plan: Plan, data: Source | None = None) -> None:
        self.model = model
        self.spec: Any = model.spec
        self.recipe = recipe
        self.plan = plan
        self.networks = {"model": model}
        self.optimizers = {"model": make_optimizer(model, recipe)}
        self._loss = compiled(self._eager_loss, model, plan.compile)

    def step(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """One step on the mean cross-entropy of the batch."""
        self.model.train()
        tokens, targets = batch
        if not self.spec.causal:
            hidden = torch.randint(_HIDDEN, tokens.shape, device=tokens.device) == 0
            tokens, targets = self._hide(tokens, hidden)
        with ExitStack() as stack:
            stack.enter_context(self._autocast())
            stack.enter_context(recomputing(self.model, self.recipe.recompute))
            loss, sums = self._loss(tokens, targets)
            loss.backward()
        take_step(self.optimizers["model"], self.recipe)
        return sums

    @torch.no_grad()
    def evaluate(self, batch: Batch) -> dict[str, Tensor]:
        """Sums over the batch, in evaluation mode; from an encoder every seventh byte is hidden, always the same."""
        self.model.eval()
        tokens, targets = batch
        if not self.spec.causal:
            hidden = torch.arange(tokens.numel(), device=tokens.device).view(tokens.shape) % _HIDDEN == 0
            tokens, targets = self._hide(tokens, hidden)
        with self._autocast():
            return self._eager_loss(tokens, targets)[1]

    def _hide(self, tokens: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens with the mask, the symbol after the vocabulary, where ``hidden``; the targets are what it hides."""
        return tokens.masked_fill(hidden, self.spec.vocabulary), tokens.masked_fill(~hidden, _SEEN)

    def _eager_loss(self, tokens: Tensor, targets: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        logits = self.model(tokens).float().flatten(0, 1)  # (N * L, symbols)
        wanted = targets.flatten()
        count = (wanted != _SEEN).sum()
        loss = F.cross_entropy(logits, wanted, ignore_index=_SEEN, reduction="sum")
        correct = (logits.detach().argmax(1) == wanted).sum()
        nats = loss.detach()
        sums = {"loss": nats, "accuracy": correct, "bits_per_byte": nats / math.log(2), "count": count}
        return loss / count.clamp(min=1), sums

    def _autocast(self) -> AbstractContextManager[Any]:
        enabled = self.plan.precision == "bfloat16"
        return torch.autocast(torch.device(self.plan.device).type, torch.bfloat16, enabled=enabled)

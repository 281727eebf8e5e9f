"""What a training step takes and does: memory with and without recomputation, the loss before and after."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar

from residua.analysis.finding import Finding, rows_of_figures
from residua.looks.base import Look, Subject
from residua.parts import register


@register
@dataclass(frozen=True, kw_only=True)
class TrainingStep(Look):
    """One step of plain gradient descent on ``batch`` images of noise, units recomputed in the backward pass.

    ``held_gb`` and ``held_gb_recomputing`` are what the forward pass keeps for the backward pass, without parameters,
    for a batch of 128 (the paper's) by multiplication.
    """

    kind: ClassVar[str] = "training_step"
    about: ClassVar[str] = (
        "what a training step holds in memory, with and without recomputing units, and its loss"
    )
    images: ClassVar[int] = 0

    batch: int = 2
    lr: float = 0.01

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        import torch
        from torch import nn
        from torch.nn import functional as F

        from residua.analysis.held_memory import Held
        from residua.nn import residual_units
        from residua.train.seeding import seed_torch

        network, spec = copy.deepcopy(subject.model).train(), subject.spec
        with torch.random.fork_rng(devices=[]):
            seed_torch(subject.seed, "training step")
            images = torch.randn(self.batch, *spec.usual_input)
            labels = torch.randint(spec.num_classes, (self.batch,))
            held = {}
            for recompute in (False, True):
                network.zero_grad()
                for unit in residual_units(network).values():
                    unit.recompute = recompute
                seen = Held(network)
                with seen:
                    loss = F.cross_entropy(network(images), labels)
                held[recompute] = seen.bytes / self.batch * 128 / 1e9
            loss.backward()
            first = next(module for module in network.modules() if isinstance(module, nn.Conv2d)).weight.grad
            assert first is not None
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter -= self.lr * parameter.grad
                after = float(F.cross_entropy(network(images), labels))
        before = float(loss.detach())
        return Finding(
            kind=self.kind,
            title="A training step",
            **rows_of_figures(
                {
                    "parameters": sum(parameter.numel() for parameter in network.parameters()),
                    "layers": spec.depth,
                    "units": len(residual_units(network)),
                    "loss_before": before,
                    "loss_after": after,
                    "loss_change": after - before,
                    "first_gradient": float(first.norm()),
                    "held_gb": held[False],
                    "held_gb_recomputing": held[True],
                }
            ),
            sentence=f"A batch of 128 keeps {held[False]:.3g} GB for the backward pass, {held[True]:.3g} GB with units "
            f"recomputed; a step on noise takes the loss from {before:.4g} to {after:.4g}.",
        )

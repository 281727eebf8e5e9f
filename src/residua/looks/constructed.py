"""A deeper plain network built of a shallow one, and what a solver makes of it (He et al. 2015, sec. 1)."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from residua.analysis.finding import Finding, rows_of_figures
from residua.looks.base import ALL, Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    from torch import Tensor, nn


@register
@dataclass(frozen=True, kw_only=True)
class Constructed(Look):
    """``units`` more units a stage that are the identity: by construction the deeper plain network equals the shallow.

    ``largest_change`` is of a logit, in float64, relative to the largest. Both are then trained on, ``steps`` steps of
    SGD at each of the ``rates``: ``shallow_error`` and ``deeper_error`` are the least training errors that they end
    with, ``constructed_error`` that of both before, in percent of the images. Raises UsageError for a network that is
    not plain.
    """

    kind: ClassVar[str] = "constructed"
    about: ClassVar[str] = "a deeper plain network made of a shallow one by identities, and both trained on"
    images: ClassVar[int] = ALL
    split: ClassVar[str] = "train"
    trained: ClassVar[bool] = True
    offered: ClassVar[bool] = False

    units: int = 2
    steps: int = 88
    rates: tuple[float, ...] = (0.05, 0.01)
    batch: int = 64

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from residua.analysis.identity_layers import deepened_by_identities
        from residua.analysis.logits import error_rate, logits_of

        exact = subject.in_float64()
        before = logits_of(exact.model, exact.images)
        after = logits_of(deepened_by_identities(exact.model, exact.images, self.units), exact.images)
        deeper: Any = deepened_by_identities(subject.model, subject.images, self.units)
        ends = {
            name: min(self._trained_on(network, subject, rate) for rate in self.rates)
            for name, network in (("shallow", subject.model), ("deeper", deeper))
        }
        figures = {
            "layers": subject.spec.depth,
            "layers_deepened": deeper.spec.depth,
            "largest_change": float((after - before).abs().max() / before.abs().max()),
            "constructed_error": 100 * error_rate(*subject.shown),
            "shallow_error": ends["shallow"],
            "deeper_error": ends["deeper"],
            "cost_of_depth": ends["deeper"] - ends["shallow"],
        }
        return Finding(
            kind=self.kind,
            title="A deeper plain network by construction",
            **rows_of_figures(figures),
            sentence=f"{subject.spec.depth} layers made {deeper.spec.depth} by identities change no logit by more than "
            f"{figures['largest_change']:.1e} (relative); trained on, they end at training errors of "
            f"{ends['shallow']:.2f} and {ends['deeper']:.2f} %.",
        )

    def _trained_on(self, network: nn.Module, subject: Subject, rate: float) -> float:
        """The error in percent, as it predicts, after training on; it is trained without augmentation."""
        import torch
        import torch.nn.functional as F

        from residua.analysis.logits import error_rate
        from residua.train.seeding import seed_torch

        network = copy.deepcopy(network).train().requires_grad_()
        optimizer = torch.optim.SGD(
            network.parameters(), lr=rate, momentum=0.9, nesterov=True, weight_decay=5e-4
        )
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            seed_torch(subject.seed, "constructed")
            for step in range(self.steps):
                chosen: Tensor = torch.randint(len(subject.images), (self.batch,))
                for group in optimizer.param_groups:
                    group["lr"] = rate * (1 - step / self.steps)
                optimizer.zero_grad()
                F.cross_entropy(network(subject.images[chosen]), subject.labels[chosen]).backward()
                optimizer.step()
        return 100 * error_rate(network.eval(), subject.images, subject.labels)

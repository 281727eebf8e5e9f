"""How well the units of a network can be trained to be the identity together (He et al. 2015, sec. 3.1)."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.analysis.finding import Finding, lines, rows_of_figures
from residua.errors import UsageError
from residua.looks.base import Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    from torch import nn

_EVERY = 20  # steps between the points of a curve


@register
@dataclass(frozen=True, kw_only=True)
class FitsIdentity(Look):
    """A fresh copy of the first stage, trained to give back its input: random maps without negative values.

    ``identity_error`` is the relative error on new maps after ``steps`` steps of Adam, the least that any of the
    ``rates`` leads to; ``first_error`` what it is before. Raises UsageError for a network without stages of maps.
    """

    kind: ClassVar[str] = "fits_identity"
    about: ClassVar[str] = "how well the units of the first stage can be trained to be the identity"
    images: ClassVar[int] = 0
    offered: ClassVar[bool] = False
    panel: ClassVar[int | None] = 0

    steps: int = 120
    rates: tuple[float, ...] = (0.03, 0.01)
    batch: int = 32
    side: int = 8

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from torch import nn

        stages: list[nn.Sequential] = list(getattr(subject.model, "stages", ()))
        first = next((m for s in stages[:1] for m in s.modules() if isinstance(m, nn.Conv2d)), None)
        if first is None:
            raise UsageError(f"{type(subject.model).__name__} has no stages of maps")
        curves = {
            rate: self._fit(copy.deepcopy(stages[0]).train(), first.in_channels, rate, subject.seed)
            for rate in self.rates
        }
        best = min(curves, key=lambda rate: curves[rate][-1])
        figures = {
            "identity_error": curves[best][-1],
            "first_error": curves[best][0],
            "rate": best,
            "units": len(stages[0]),
        }
        return Finding(
            kind=self.kind,
            title="Units trained to be the identity",
            **rows_of_figures(figures),
            sentence=f"{len(stages[0])} units fit the identity to {curves[best][-1]:.3g} (relative) after {self.steps} "
            f"steps at a rate of {best:g}.",
            panels=[
                lines(
                    "Fitting the identity",
                    "relative error",
                    {"identity error": curves[best]},
                    x=range(0, self.steps + 1, _EVERY),
                    x_label="step",
                    log_y=True,
                )
            ],
        )

    def _fit(self, stage: nn.Module, channels: int, rate: float, seed: int) -> list[float]:
        import torch

        from residua.train.seeding import seed_torch

        optimizer = torch.optim.Adam(stage.parameters(), lr=rate)
        errors = []
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            seed_torch(seed, "fits identity")
            for step in range(self.steps + 1):
                x = torch.randn(self.batch, channels, self.side, self.side).abs()
                apart = (stage(x) - x).square().mean()
                if step % _EVERY == 0:
                    errors.append(float(apart.detach() / x.square().mean()) ** 0.5)
                for group in optimizer.param_groups:
                    group["lr"] = rate * (1 - step / (self.steps + 1))
                optimizer.zero_grad()
                apart.backward()
                optimizer.step()
        return errors

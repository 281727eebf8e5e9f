"""Units of linear layers with a shortcut: of one layer each they are a single matrix (He et al. 2015, sec. 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from residua.analysis.finding import Finding, rows_of_figures
from residua.looks.base import Look, Subject
from residua.parts import register

if TYPE_CHECKING:
    from torch import Tensor, nn


@register
@dataclass(frozen=True, kw_only=True)
class LinearUnit(Look):
    """Units x + F(x), drawn at random, against one matrix; the network is not looked at.

    Of one linear layer ``W`` a unit is ``W + I``: ``matrix_error`` is how far the units in a row are from the product
    of these, None for units of ``layers`` with ReLU between. ``nonlinearity`` is how far they are from the nearest
    matrix of all (least squares). Both are relative errors on random inputs, in float64.
    """

    kind: ClassVar[str] = "linear_unit"
    about: ClassVar[str] = "units of linear layers with a shortcut against one matrix"
    images: ClassVar[int] = 0
    offered: ClassVar[bool] = False

    layers: int = 1
    units: int = 9
    width: int = 16

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        import torch

        from residua.nn import Chain, Residual
        from residua.train.seeding import seed_torch

        with torch.random.fork_rng(devices=[]), torch.no_grad():
            seed_torch(subject.seed, "linear units")
            chain = Chain(*(Residual(self._branch()) for _ in range(self.units))).double()
            x = torch.randn(20 * self.width, self.width, dtype=torch.float64)
            y = chain(x)
            nearest = x @ torch.linalg.lstsq(x, y).solution
            identity = torch.eye(self.width, dtype=torch.float64)
            product = identity
            for weight in chain.parameters():
                product = (weight + identity) @ product
        matrix = _apart(x @ product.T, y) if self.layers == 1 else None
        nonlinearity = _apart(nearest, y)
        return Finding(
            kind=self.kind,
            title="Units of linear layers",
            **rows_of_figures({"matrix_error": matrix, "nonlinearity": nonlinearity}),
            sentence=f"{self.units} units of {self.layers} linear layers each are {nonlinearity:.1e} from one matrix.",
        )

    def _branch(self) -> nn.Sequential:
        from torch import nn

        made: list[nn.Module] = [nn.Linear(self.width, self.width, bias=False)]
        for _ in range(self.layers - 1):
            made += [nn.ReLU(), nn.Linear(self.width, self.width, bias=False)]
        return nn.Sequential(*made)


def _apart(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())

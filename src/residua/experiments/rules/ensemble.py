"""Ensembles out of cells that were trained one by one: their probabilities are evidence, a rule averages them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from residua.experiments.rules.directions import greater
from residua.experiments.rules.ruling import Evidence, Ruling, shared_seeds
from residua.looks.probabilities import unpacked

if TYPE_CHECKING:
    import numpy as np


def error(shares: np.ndarray) -> float:
    """Images, in percent, of which the true class is not the most probable one; a tie is an error."""
    return 100 * float((shares[:, 0] <= shares[:, 1:].max(1)).mean())


@dataclass(frozen=True)
class EnsembleGain:
    """The arms' networks together, probabilities averaged, err less than the one of the arm ``than`` does alone."""

    arms: tuple[str, ...]
    than: str
    smallest: float  # gain that matters, in points

    def check(self, evidence: Evidence) -> Ruling:
        """As of ``Contrast``."""
        alone, together = {}, {}
        for seed in shared_seeds(evidence, self.arms, "probabilities"):
            members = {arm: unpacked(dict(evidence[arm][seed])) for arm in self.arms}
            first, *others = members.values()
            for side, shares in ((alone, members[self.than]), (together, sum(others, first))):
                side[seed] = {"test_error": error(shares), "test_images": len(shares)}
        gain = greater("test_error", self.than, "ensemble", smallest=self.smallest)
        ruling = gain.check({self.than: alone, "ensemble": together})
        if not alone:
            return ruling
        means = [sum(v["test_error"] for v in side.values()) / len(side) for side in (alone, together)]
        return replace(ruling, reason=f"alone {means[0]:.3g} %, together {means[1]:.3g} %; {ruling.reason}")

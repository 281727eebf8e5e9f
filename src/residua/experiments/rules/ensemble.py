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
    """The arms' networks together, probabilities averaged, err less than they do alone, on average over seeds."""

    arms: tuple[str, ...]
    smallest: float | None = None  # gain that matters, in points

    def check(self, evidence: Evidence) -> Ruling:
        """As of ``Contrast``: of a seed's networks the mean error against that of their ensemble."""
        alone, together = {}, {}
        for seed in shared_seeds(evidence, self.arms, "probabilities"):
            members = [unpacked(dict(evidence[arm][seed])) for arm in self.arms]
            errors, images = [error(member) for member in members], len(members[0])
            alone[seed] = {"test_error": sum(errors) / len(errors), "test_images": images}
            together[seed] = {"test_error": error(sum(members[1:], members[0])), "test_images": images}
        gain = greater("test_error", "alone", "ensemble", smallest=self.smallest)
        ruling = gain.check({"alone": alone, "ensemble": together})
        if not alone:
            return ruling
        means = [sum(v["test_error"] for v in side.values()) / len(side) for side in (alone, together)]
        return replace(ruling, reason=f"alone {means[0]:.3g} %, together {means[1]:.3g} %; {ruling.reason}")

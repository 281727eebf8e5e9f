"""Rules about exact figures of two arms, beside those of single arms in ``verdict``."""

from __future__ import annotations

from dataclasses import dataclass

from residua.experiments.rules.directions import MAX_SEEDS, Check, Evidence, Within, shared_seeds


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A figure of ``arm`` divided by that of ``of`` lies in ``[low, high]`` for every seed; 1 to 1: they are equal."""

    text: str
    measure: str
    arm: str
    of: str
    low: float = float("-inf")
    high: float = float("inf")

    def check(self, evidence: Evidence, max_seeds: int = MAX_SEEDS) -> Check:
        """``reproduced`` or ``not reproduced``."""
        name = f"{self.measure} of {self.arm} in that of {self.of}"
        ratios = {
            seed: {name: evidence[self.arm][seed][self.measure] / evidence[self.of][seed][self.measure]}
            for seed in shared_seeds(evidence, [self.arm, self.of], self.measure)
        }
        rule = Within(text=self.text, measure=name, arm="ratio", low=self.low, high=self.high)
        return rule.check({"ratio": ratios}, max_seeds)


def same(measure: str, arm: str, of: str, *, text: str = "") -> Ratio:
    """Both arms have exactly the same ``measure``."""
    text = text or f"{arm} has the {measure.replace('_', '-')} of {of}, exactly"
    return Ratio(text=text, measure=measure, arm=arm, of=of, low=1, high=1)

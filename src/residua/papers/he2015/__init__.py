"""He, Zhang, Ren & Sun 2015, "Deep Residual Learning for Image Recognition"."""

from __future__ import annotations

from residua.experiments import Paper
from residua.papers.he2015 import compared, counts, dense, depth, identity, quoted, units
from residua.parts import register

register(
    Paper(
        kind="he2015",
        year=2015,
        experiments=(
            *depth.EXPERIMENTS,
            *compared.EXPERIMENTS,
            *units.EXPERIMENTS,
            *identity.EXPERIMENTS,
            *counts.EXPERIMENTS,
            *quoted.EXPERIMENTS,
            *dense.EXPERIMENTS,
        ),
    )
)

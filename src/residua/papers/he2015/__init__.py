"""He, Zhang, Ren & Sun 2015, "Deep Residual Learning for Image Recognition"."""

from __future__ import annotations

from residua.experiments import Experiment, Paper, PublishedRow
from residua.experiments.rules import Contrast, greater
from residua.experiments.scales import nets, quick, small
from residua.papers.he2015 import compared, counts, dense, identity, quoted, units
from residua.papers.he2015.protocol import as_published
from residua.parts import register

_DEGRADATION_ARMS = nets("plain-20", "plain-56", "ResNet-20", "ResNet-56")
_DEGRADATION_RULES = {
    "the deeper plain net has the higher training error": greater("train_error", "plain-56", "plain-20"),
    "and the higher test error": greater("test_error", "plain-56", "plain-20"),
    "with shortcuts the same 56 layers have the lower training error": greater(
        "train_error", "plain-56", "ResNet-56"
    ),
    "with shortcuts depth no longer costs: what 36 more layers add to the training error is less by far": Contrast(
        "train_error", {"plain-56": 1.0, "plain-20": -1.0, "ResNet-56": -1.0, "ResNet-20": 1.0}
    ),
    "the deeper residual net even has the lower training error: shortcuts reverse the degradation": greater(
        "train_error", "ResNet-20", "ResNet-56"
    ),
}

_DEGRADATION = Experiment(
    id="he2015/degradation",
    title="Degradation: plain and residual nets of 20 and 56 layers",
    zh="退化：20 层与 56 层的普通网络和残差网络",
    claims=("X1",),
    where="He et al. 2015, sec. 4.2, Figures 1 and 6",
    settings=quick(_DEGRADATION_ARMS, _DEGRADATION_RULES)
    | small(_DEGRADATION_ARMS, _DEGRADATION_RULES)
    | as_published(_DEGRADATION_ARMS, _DEGRADATION_RULES),
    measures=("train_error", "test_error"),
    figure="curves",
    published=(
        PublishedRow("he2015.t6", "ResNet-20", "err", "ResNet-20"),
        PublishedRow("he2015.t6", "ResNet-56", "err", "ResNet-56"),
    ),
    observations=("plain-cifar", "fig1"),
    caveats=(
        "Published errors are of 64,000 iterations on CIFAR-10. Plain nets are drawn in the paper, not tabulated.",
        "The quick scale is 220 steps and the small one 3,124: few for 56 layers, so that shortcuts even reverse "
        "the degradation is fairly judged at the scale of the paper alone.",
    ),
)

register(
    Paper(
        kind="he2015",
        year=2015,
        experiments=(
            _DEGRADATION,
            *compared.EXPERIMENTS,
            *units.EXPERIMENTS,
            *identity.EXPERIMENTS,
            *counts.EXPERIMENTS,
            *quoted.EXPERIMENTS,
            *dense.EXPERIMENTS,
        ),
    )
)

"""He, Zhang, Ren & Sun 2015, "Deep Residual Learning for Image Recognition"."""

from __future__ import annotations

from residua.experiments.experiment import Arm, Experiment, PublishedRow, Setting
from residua.experiments.rules.directions import Contrast, greater
from residua.papers.he2015 import compared, dense
from residua.papers.he2015 import counts as exact

_DEGRADATION_ARMS = tuple(
    Arm(name=f"{kind}-{depth}", model=f"cifar_{model}{depth}")
    for kind, model in (("plain", "plain"), ("ResNet", "resnet"))
    for depth in (20, 56)
)
_DEGRADATION_RULES = (
    greater(
        "train_error",
        "plain-56",
        "plain-20",
        text="the deeper plain net has the higher training error",
    ),
    greater(
        "test_error",
        "plain-56",
        "plain-20",
        text="and the higher test error",
    ),
    greater(
        "train_error",
        "plain-56",
        "ResNet-56",
        text="with shortcuts the same 56 layers have the lower training error",
    ),
    Contrast(
        text="with shortcuts depth no longer costs: what 36 more layers add to the training error is less by far",
        measure="train_error",
        weights={"plain-56": 1.0, "plain-20": -1.0, "ResNet-56": -1.0, "ResNet-20": 1.0},
    ),
    greater(
        "train_error",
        "ResNet-20",
        "ResNet-56",
        text="the deeper residual net even has the lower training error: shortcuts reverse the degradation",
    ),
)

EXPERIMENTS = (
    Experiment(
        id="he2015/degradation",
        title="Degradation: plain and residual nets of 20 and 56 layers",
        zh="退化：20 层与 56 层的普通网络和残差网络",
        claims=("X1",),
        where="He et al. 2015, sec. 4.2, Figures 1 and 6",
        settings={
            "quick": Setting(
                arms=_DEGRADATION_ARMS, rules=_DEGRADATION_RULES, recipe="digits", changes={"epochs": 10}
            ),
            "small": Setting(
                arms=_DEGRADATION_ARMS,
                rules=_DEGRADATION_RULES,
                recipe="quick",
                changes={"epochs": 4},
                needs="cifar10",
                curves=True,
                seeds=3,
            ),
            "paper": Setting(
                arms=_DEGRADATION_ARMS,
                rules=_DEGRADATION_RULES,
                recipe="he2015-cifar",
                needs="cifar10",
                curves=True,
                seeds=5,
            ),
        },
        measures=("train_error", "test_error"),
        figure="curves",
        published=(
            PublishedRow(
                table="he2015.t6", model="ResNet-20", key="err", measure="test_error", arm="ResNet-20"
            ),
            PublishedRow(
                table="he2015.t6", model="ResNet-56", key="err", measure="test_error", arm="ResNet-56"
            ),
        ),
        observations=("plain-cifar", "fig1"),
        caveats=(
            "Published errors are of 64,000 iterations on CIFAR-10. Plain nets are drawn in the paper, not tabulated.",
            "The quick scale is 220 steps and the small one 3,124: few for 56 layers, so that shortcuts even reverse "
            "the degradation is fairly judged at the scale of the paper alone.",
        ),
    ),
    *compared.EXPERIMENTS,
    *exact.EXPERIMENTS,
    *dense.EXPERIMENTS,
)

"""Huang, Sun, Liu, Sedra & Weinberger 2016, "Deep Networks with Stochastic Depth"."""

from __future__ import annotations

from residua.experiments import Arm, Experiment, Paper, PublishedRow
from residua.experiments.rules import Within, between, greater, published_errors
from residua.experiments.scales import not_judged, paper, small, untrained
from residua.papers.he2015.protocol import CIFAR
from residua.parts import register

_CONSTANT = "ResNet, constant depth (110; SVHN 152; ImageNet 152)"
_STOCHASTIC = "ResNet, stochastic depth"
# single runs are printed; He et al. 2015 find a standard deviation of 0.16 over runs of ResNet-110
_NUMBERS = published_errors({"constant depth": 6.41, "stochastic depth": 5.25}, 0.4)
_BETTER = {
    "stochastic depth has the lower test error": greater(
        "test_error", "constant depth", "stochastic depth", smallest=0.5
    )
}


def _arms(depth: int) -> tuple[Arm, ...]:
    return (
        Arm("constant depth", f"cifar_resnet{depth}"),
        Arm("stochastic depth", f"cifar_resnet{depth}_stochastic_depth"),
    )


_ERROR = Experiment(
    id="huang2016/error",
    title="Stochastic depth: a lower test error",
    zh="随机深度：测试误差更低",
    claims=("X12",),
    where="Huang et al. 2016, sec. 4, Table 1 and Figure 3",
    settings=not_judged(
        "the paper's networks are trained until the constant one overfits: ten epochs of the digits are not",
        "quick",
    )
    | small(_arms(56), _BETTER)
    | paper(_arms(110), {**_BETTER, **_NUMBERS}, "huang2016-cifar", seeds=4),
    measures=("test_error", "train_error"),
    figure="curves",
    published=(
        *(
            PublishedRow("sd.t1", model, key, arm, measure)
            for model, name in ((_CONSTANT, "constant depth"), (_STOCHASTIC, "stochastic depth"))
            for key, measure, arm in (("c10", "test_error", name), ("imagenet_top1_err", "", ""))
        ),
        PublishedRow("sd.1202", "ResNet-1202 stochastic depth", "err"),
    ),
    caveats=(
        "Published: 110 layers, 500 epochs on CIFAR-10. At the small scale 56 layers, and far fewer."
        " The paper's networks are trained until the constant one overfits.",
        "On ImageNet the paper's ResNet-152 is not better: 21.98 % with, 21.78 % without.",
    ),
)
_TIME = Experiment(
    id="huang2016/time",
    title="Stochastic depth: about 25 % less training time at 110 layers",
    zh="随机深度：110 层时训练时间约减少 25 %",
    claims=("X12",),
    where="Huang et al. 2016, sec. 3 and 4, Table 2",
    settings=untrained(
        (
            Arm(
                "ResNet-110, p_L = 0.5",
                "cifar_resnet110_stochastic_depth",
                changes=CIFAR,
                options={"images": 0, "shape": (3, 32, 32), "rounds": 2},
            ),
        ),
        {
            "a step skips about a quarter of the multiply-adds, in expectation": Within(
                "work_saved", "ResNet-110, p_L = 0.5", 24.0, 27.0
            ),
            "and saves about 25 % of its time (20 to 30)": between(
                "time_saved", "ResNet-110, p_L = 0.5", 20.0, 30.0
            ),
        },
    ),
    look="skipping",
    measures=("work_saved", "time_saved"),
    published=(
        PublishedRow("sd.t2", "constant depth", "c10"),
        PublishedRow("sd.t2", "stochastic depth", "c10"),
    ),
    caveats=(
        "The published times, 15h07m instead of 20h42m on a GPU, save 27 %. Here steps on a batch of 128 images of "
        "32 px are timed in turns in one process, on one thread of a machine that other runs may share. Stem, "
        "shortcuts, sums and classifier are never skipped. benchmarks/results/stochastic_depth.md measures longer.",
    ),
)

register(Paper(kind="huang2016", year=2016, experiments=(_ERROR, _TIME)))

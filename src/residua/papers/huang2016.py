"""Huang, Sun, Liu, Sedra & Weinberger 2016, "Deep Networks with Stochastic Depth"."""

from __future__ import annotations

from residua.experiments.bounds import Between, above
from residua.experiments.experiment import Arm, Experiment, PublishedRow, Setting
from residua.experiments.rules.directions import Number, greater

_CONSTANT = "ResNet, constant depth (110; SVHN 152; ImageNet 152)"
_STOCHASTIC = "ResNet, stochastic depth"
_NUMBERS = tuple(
    # single runs are printed; He et al. 2015 find a standard deviation of 0.16 over runs of ResNet-110
    Number(
        text=f"the error of {arm} is the published one",
        measure="test_error",
        arm=arm,
        value=value,
        tolerance=0.4,
    )
    for arm, value in (("constant depth", 6.41), ("stochastic depth", 5.25))
)
_BETTER = greater(
    "test_error",
    "constant depth",
    "stochastic depth",
    text="stochastic depth has the lower test error",
)


def _arms(depth: int) -> tuple[Arm, ...]:
    return (
        Arm(name="constant depth", model=f"cifar_resnet{depth}"),
        Arm(name="stochastic depth", model=f"cifar_resnet{depth}_stochastic_depth"),
    )


_ERROR = Experiment(
    id="huang2016/error",
    title="Stochastic depth: a lower test error",
    zh="随机深度：测试误差更低",
    claims=("X12",),
    where="Huang et al. 2016, sec. 4, Table 1 and Figure 3",
    settings={
        "quick": Setting(arms=_arms(56), rules=(_BETTER,), recipe="digits", changes={"epochs": 10}),
        "paper": Setting(
            arms=_arms(110),
            rules=(_BETTER, *_NUMBERS),
            recipe="huang2016-cifar",
            needs="cifar10",
            curves=True,
            seeds=4,
        ),
    },
    measures=("test_error", "train_error"),
    figure="curves",
    published=(
        *(
            PublishedRow(table="sd.t1", model=model, key=key, measure=measure, arm=arm)
            for model, name in ((_CONSTANT, "constant depth"), (_STOCHASTIC, "stochastic depth"))
            for key, measure, arm in (("c10", "test_error", name), ("imagenet_top1_err", "", ""))
        ),
        PublishedRow(table="sd.1202", model="ResNet-1202 stochastic depth", key="err"),
    ),
    caveats=(
        "Published: 110 layers, 500 epochs on CIFAR-10. At the quick scale 56 layers and 10 epochs: the paper's "
        "networks are trained until the constant one overfits, and these are not.",
        "On ImageNet the paper's ResNet-152 is not better: 21.98 % with, 21.78 % without.",
    ),
)
_TIME = Experiment(
    id="huang2016/time",
    title="Stochastic depth: about 25 % less training time at 110 layers",
    zh="随机深度：110 层时训练时间约减少 25 %",
    claims=("X12",),
    where="Huang et al. 2016, sec. 3 and 4, Table 2",
    settings={
        "quick": Setting(
            arms=(Arm(name="ResNet-110, p_L = 0.5", model="cifar_resnet110_stochastic_depth"),),
            rules=(
                Between(
                    text="a step skips about a quarter of the multiply-adds, in expectation",
                    measure="work_saved",
                    arm="ResNet-110, p_L = 0.5",
                    low=24.0,
                    high=27.0,
                ),
                above(
                    "time_saved",
                    "ResNet-110, p_L = 0.5",
                    20.0,
                    text="and at least a fifth of its time",
                ),
            ),
        ),
    },
    look="skipping",
    measures=("work_saved", "time_saved"),
    published=(
        PublishedRow(table="sd.t2", model="constant depth", key="c10"),
        PublishedRow(table="sd.t2", model="stochastic depth", key="c10"),
    ),
    caveats=(
        "The published times, 15h07m instead of 20h42m, save 27 %. Here steps on a batch of 64 are timed in turns in "
        "one process, on one thread of a machine that other runs may share. Stem, shortcuts, sums and classifier are "
        "never skipped. benchmarks/results/stochastic_depth.md has a longer measurement at 32 px.",
    ),
)

EXPERIMENTS = (_ERROR, _TIME)

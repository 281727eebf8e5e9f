"""He et al. 2015: networks of other depths, shortcuts, units and schedules, trained side by side."""

from __future__ import annotations

from dataclasses import replace

from residua.experiments.experiment import Arm, Experiment, PublishedRow
from residua.experiments.rules.directions import Alike, Number, Within, greater
from residua.experiments.rules.ensemble import EnsembleGain
from residua.experiments.scales import NEEDS_IMAGENET, net, nets, paper, quick, small

_TABLE6 = {  # network: error; of ResNet-110 the mean of five, the best of which is 6.43
    "ResNet-20": 8.75,
    "ResNet-32": 7.51,
    "ResNet-44": 7.17,
    "ResNet-56": 6.97,
    "ResNet-110": 6.61,
    "ResNet-1202": 7.93,
}
# the one published spread is 0.16 points: 2 of them on each side for the mean of five, 3 for what was run once
_TOLERANCE = dict.fromkeys(_TABLE6, 0.48) | {"ResNet-110": 0.32}
_PLAIN_AND_RESIDUAL = nets("plain-20", "plain-56", "ResNet-20", "ResNet-56")
_ENSEMBLE = ("ResNet-8", "ResNet-14", "ResNet-20", "ResNet-26", "ResNet-32", "ResNet-56")


def _table6(model: str, key: str = "err", arm: str | None = None) -> PublishedRow:
    return PublishedRow(
        table="he2015.t6", model=model, key=key, measure="test_error", arm=model if arm is None else arm
    )


def _top1(model: str, table: str = "he2015.t3", key: str = "top1_err") -> PublishedRow:
    return PublishedRow(table=table, model=model, key=key)


def _longer(arms: tuple[Arm, ...], factor: int, **of_one: int) -> tuple[Arm, ...]:
    """The plain nets with ``factor`` times the epochs or iterations, the residual ones as they are."""
    more = {key: factor * value for key, value in of_one.items()}
    return tuple(
        replace(a, name=f"{a.name}, {factor} x", recipe=more) if a.name.startswith("plain") else a
        for a in arms
    )


_LONGER = nets("plain-20", "plain-56", "ResNet-56")
_LONGER_RULES = (
    greater(
        "train_error",
        "plain-56, 3 x",
        "plain-20, 3 x",
        text="after three times the iterations the deeper plain net still has the higher training error",
    ),
    greater(
        "train_error",
        "plain-56, 3 x",
        "ResNet-56",
        text="which is also higher than that of ResNet-56 after a third of them",
    ),
)
_SHORTCUTS = (
    net("plain-20"),
    *(Arm(name=f"option {option}", model="cifar_resnet20", changes={"shortcut": option}) for option in "ABC"),
)
_ONE_LAYER = (
    *nets("plain-56", "ResNet-56"),
    # as many convolutions in twice as many units: the same parameters
    Arm(name="one layer", model="cifar_resnet56", changes={"unit": "one_layer", "depths": [18, 18, 18]}),
)
_ONE_LAYER_RULES = (
    greater(
        "train_error",
        "one layer",
        "plain-56",
        by=-0.5,
        text="with one layer a unit, the training error is no lower than without shortcuts (by more than 0.5 points)",
    ),
    greater(
        "train_error",
        "one layer",
        "ResNet-56",
        text="and it is higher than with two layers a unit",
    ),
)
_RESPONSES = (
    greater("mean_std", "plain-20", "ResNet-20", text="20 layers: residual responses are smaller"),
    greater("mean_std", "plain-56", "ResNet-56", text="56 layers: residual responses are smaller"),
    greater("mean_std", "ResNet-20", "ResNet-56", text="the deeper ResNet has the smaller responses"),
)
_EARLY = tuple(
    greater(
        "early_train_error",
        f"plain-{depth}",
        f"ResNet-{depth}",
        text=f"{depth} layers: over the first quarter of the epochs the ResNet's training error is lower",
    )
    for depth in (20, 56)
)
_REFERENCES = (
    net("ResNet-20"),
    Arm(name="VGG, small", model="vgg_tiny"),
    Arm(name="GoogLeNet, small", model="googlenet_tiny"),
)

EXPERIMENTS = (
    Experiment(
        id="he2015/imagenet-plain",
        title="Plain and residual nets of 18 and 34 layers on ImageNet",
        zh="ImageNet 上 18 层与 34 层的普通网络和残差网络",
        claims=("X1", "X6"),
        where="He et al. 2015, sec. 4.1, Table 2 and Figure 4",
        settings={"quick": NEEDS_IMAGENET, "small": NEEDS_IMAGENET, "paper": NEEDS_IMAGENET},
        published=tuple(
            _top1(model, "he2015.t2") for model in ("plain-18", "plain-34", "ResNet-18", "ResNet-34")
        ),
        observations=("gain34",),
        caveats=(
            "10-crop top-1 errors, shortcut option A. The figure of 20 against 56 layers is CIFAR-10's, not "
            "ImageNet's.",
        ),
    ),
    Experiment(
        id="he2015/longer",
        title="Three times the iterations do not cure the degradation",
        zh="三倍的迭代次数不能消除退化",
        claims=("X2",),
        where="He et al. 2015, sec. 4.1, footnote 3",
        settings={
            "quick": quick(_longer(_LONGER, 3, epochs=10), _LONGER_RULES),
            "paper": paper(_longer(_LONGER, 3, iterations=64_000), _LONGER_RULES),
        },
        measures=("train_error", "test_error"),
        figure="curves",
        observations=("not-vanishing",),
        caveats=(
            "The paper says so of its ImageNet nets and prints no figure. That convergence slows exponentially with "
            "depth is a conjecture of the paper: two depths cannot show the form of a curve.",
        ),
    ),
    Experiment(
        id="he2015/shortcuts",
        title="Shortcut options A, B and C",
        zh="捷径方案 A、B 与 C",
        claims=("X3",),
        where="He et al. 2015, sec. 4.1, Table 3",
        settings={
            "quick": quick(
                _SHORTCUTS,
                (
                    greater("test_error", "option A", "option B", text="B is more accurate than A"),
                    greater("test_error", "option B", "option C", text="C is more accurate than B"),
                    # Table 3: 0.84 points lie between A and C, 3.5 between the plain net and A
                    Alike(
                        text="A and C are less than a point apart: A suffices",
                        measure="test_error",
                        arms=("option A", "option C"),
                        margin=1.0,
                    ),
                    greater("test_error", "plain-20", "option A", text="even A is better than no shortcut"),
                ),
            ),
            "paper": NEEDS_IMAGENET,
        },
        measures=("test_error", "train_error", "parameters"),
        published=(*(_top1(f"ResNet-34 {option}") for option in "ABC"), _top1("plain-34")),
        caveats=(
            "Table 3 is ResNet-34 on ImageNet, 10-crop; its CIFAR nets have option A only. Measured here: 20 layers.",
        ),
    ),
    Experiment(
        id="he2015/depth",
        title="Table 6: deeper is better up to 110 layers, not to 1202",
        zh="表 6：110 层以内越深越好，1202 层则不然",
        claims=("X4", "X10"),
        where="He et al. 2015, sec. 4.2, Table 6",
        settings={
            "quick": quick(
                nets("ResNet-20", "ResNet-56", "ResNet-110"),
                (
                    greater("test_error", "ResNet-20", "ResNet-56", text="56 layers err less than 20"),
                    greater("test_error", "ResNet-56", "ResNet-110", text="110 layers err less than 56"),
                ),
            ),
            "paper": paper(
                nets(*_TABLE6),
                (
                    *(
                        Number(
                            text=f"{model} has the error of Table 6",
                            measure="test_error",
                            arm=model,
                            value=value,
                            tolerance=_TOLERANCE[model],
                        )
                        for model, value in _TABLE6.items()
                    ),
                    Within(
                        text="1202 layers optimise: training error below 0.1 %",
                        measure="train_error",
                        arm="ResNet-1202",
                        high=0.1,
                    ),
                    greater("test_error", "ResNet-1202", "ResNet-110", text="and err more than 110 layers"),
                ),
                warm_up=("ResNet-110", "ResNet-1202"),
            ),
        },
        measures=("test_error", "train_error"),
        published=(
            *(_table6(model) for model in _TABLE6),
            _table6("ResNet-110", "mean"),
            *(
                PublishedRow(table="community.akamaster", model=f"ResNet-{depth}", key="err")
                for depth in (110, 1202)
            ),
        ),
        observations=("resnet1202",),
        caveats=(
            "6.43 % is the best of five runs of ResNet-110, whose mean is 6.61 %; every other row is a single run. "
            "Under a later recipe 1202 layers err less than 110 (6.18 against 6.32 %): the worse generalisation is "
            "one recipe's.",
            "Ten epochs of 1,437 small digits cannot use 110 layers: at the quick scale this is not the paper's "
            "question.",
        ),
    ),
    Experiment(
        id="he2015/responses",
        title="Figure 7: layer responses of plain and residual nets",
        zh="图 7：普通网络与残差网络的层响应",
        claims=("X5",),
        where="He et al. 2015, sec. 4.2, Figure 7",
        settings={
            "quick": quick(_PLAIN_AND_RESIDUAL, _RESPONSES),
            "paper": paper(
                (*_PLAIN_AND_RESIDUAL, net("ResNet-110")),
                (
                    *_RESPONSES,
                    greater("mean_std", "ResNet-56", "ResNet-110", text="and so from 56 layers to 110"),
                ),
                warm_up=("ResNet-110",),
            ),
        },
        look="responses",
        measures=("mean_std", "median_std"),
        figure="series",
        observations=("fig7",),
        caveats=(
            "The paper prints no values. Measured on 256 test images, batch norm with its learned statistics.",
        ),
    ),
    Experiment(
        id="he2015/convergence",
        title="Residual nets converge faster at the early stage",
        zh="残差网络在早期收敛更快",
        claims=("X6",),
        where="He et al. 2015, sec. 4.1, Figure 4",
        settings={
            "quick": quick(_PLAIN_AND_RESIDUAL, _EARLY),
            "small": small(_PLAIN_AND_RESIDUAL, _EARLY),
            "paper": paper(_PLAIN_AND_RESIDUAL, _EARLY),
        },
        measures=("early_train_error", "train_error"),
        figure="curves",
        caveats=("The paper says so of 18 layers on ImageNet, where both nets end equally accurate.",),
    ),
    Experiment(
        id="he2015/references",
        title="ResNet beside VGG and GoogLeNet on the same images",
        zh="同一数据上的 ResNet、VGG 与 GoogLeNet",
        claims=("X8",),
        where="He et al. 2015, sec. 4.1, Tables 3 and 4",
        settings={
            "quick": quick(
                _REFERENCES,
                (
                    greater("test_error", "VGG, small", "ResNet-20", text="ResNet errs less than VGG"),
                    greater(
                        "test_error", "GoogLeNet, small", "ResNet-20", text="ResNet errs less than GoogLeNet"
                    ),
                ),
            ),
            "paper": NEEDS_IMAGENET,
        },
        measures=("test_error", "parameters", "multiply_adds"),
        published=(
            *(_top1(model) for model in ("VGG-16", "PReLU-net", "ResNet-50", "ResNet-152")),
            _top1("GoogLeNet", key="top5_err"),
            *(_top1(m, "he2015.t4") for m in ("VGG (v5)", "PReLU-net", "ResNet-50", "ResNet-152")),
        ),
        caveats=(
            "Small members of the families at unequal cost; VGG and GoogLeNet with batch norm, which the published "
            "ones lack. PReLU-net stands as a published row only. Table 3 is 10-crop, Table 4 multi-scale.",
        ),
    ),
    Experiment(
        id="he2015/ensemble",
        title="Six networks of different depth err less together than alone",
        zh="六个不同深度的网络集成后误差更低",
        claims=("X9",),
        where="He et al. 2015, sec. 4.1, Table 5",
        settings={
            "quick": quick(
                nets(*_ENSEMBLE),
                (
                    EnsembleGain(
                        text="averaging the probabilities of six networks errs less than they do on average",
                        arms=_ENSEMBLE,
                    ),
                ),
            ),
            "paper": NEEDS_IMAGENET,
        },
        look="probabilities",
        published=(
            _top1("ResNet (ILSVRC'15)", "he2015.t5", "top5_err"),
            _top1("ResNet-152", "he2015.t4", "top5_err"),
        ),
        observations=("ensemble-composition",),
        caveats=("3.57 % is top-5, multi-scale, on ILSVRC's test set; no single network has it.",),
    ),
    Experiment(
        id="he2015/one-layer",
        title="Units of one layer, which are said to gain nothing",
        zh="据称没有好处的单层残差单元",
        claims=("T8",),
        where="He et al. 2015, sec. 3.2; He et al. 2016, Table 3",
        settings={
            "quick": quick(_ONE_LAYER, _ONE_LAYER_RULES),
            "paper": paper(_ONE_LAYER, _ONE_LAYER_RULES),
        },
        measures=("train_error", "test_error"),
        figure="curves",
        published=(
            PublishedRow(table="he2016.t3", model="ResNet-110 (1-layer skip)", key="original"),
            PublishedRow(
                table="he2016.t3", model="ResNet-110", key="original", where={"dataset": "CIFAR-10"}
            ),
        ),
        observations=("onelayer", "plain-110"),
        caveats=(
            "Of 110 layers with one-layer skips 9.90 % is published (He et al. 2016), where the plain net is above 60"
            " %: one layer a unit gains less than two, not nothing.",
        ),
    ),
    Experiment(
        id="he2015/identity",
        title="With F = 0 a unit is the identity: added depth can change nothing",
        zh="F = 0 时单元即恒等映射：增加的深度可以什么都不改变",
        claims=("T7",),
        where="He et al. 2015, sec. 1 and 3.1",
        settings={
            "quick": quick(
                _PLAIN_AND_RESIDUAL,
                (
                    *(
                        Within(
                            text=f"six more units with F = 0 leave every logit of a trained {name} as it was",
                            measure="largest_change",
                            arm=name,
                            low=0,
                            high=0,
                        )
                        for name in ("ResNet-20", "ResNet-56")
                    ),
                    greater(
                        "train_error",
                        "ResNet-20",
                        "ResNet-56",
                        by=-0.5,
                        text="and trained, 36 more layers cost less than half a point of training error",
                    ),
                ),
            )
        },
        look="deepened",
        measures=("largest_change", "error_change", "train_error"),
        caveats=(
            "F = 0 is the last batch norm's scale and offset set to zero. Exact because the activations before the "
            "sum are not negative; where the shape changes no unit can be the identity. That depth can cost nothing "
            "is a statement about networks that exist, not about what an optimiser finds: the last check is about "
            "that.",
        ),
    ),
)

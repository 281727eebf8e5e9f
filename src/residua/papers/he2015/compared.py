"""He et al. 2015: networks of other depths, shortcuts, units and schedules, trained side by side."""

from __future__ import annotations

from dataclasses import replace

from residua.experiments import SCALES, Arm, Experiment, PublishedRow
from residua.experiments.rules import EnsembleGain, Number, alike, at_most, greater
from residua.experiments.scales import net, nets, not_judged, quick, small
from residua.papers.he2015.protocol import NEEDS_IMAGENET, as_published

# network: error, tolerance. The one published spread is 0.16 points: 3 of them for what was run once, 2 for the mean of
# five (ResNet-110, the best of which is 6.43)
_TABLE6 = {
    "ResNet-20": (8.75, 0.48),
    "ResNet-32": (7.51, 0.48),
    "ResNet-44": (7.17, 0.48),
    "ResNet-56": (6.97, 0.48),
    "ResNet-110": (6.61, 0.32),
    "ResNet-1202": (7.93, 0.48),
}
_PLAIN_AND_RESIDUAL = nets("plain-20", "plain-56", "ResNet-20", "ResNet-56")
# six depths, a quarter as wide: what is left to gain where a network errs on one image in a hundred, 360 cannot tell
_ENSEMBLE = tuple(f"ResNet-{depth}" for depth in (8, 14, 20, 26, 32, 38))
_NARROW = {"widths": (4, 8, 16), "stem.width": 4}


def _top1(model: str, table: str = "he2015.t3", key: str = "top1_err") -> PublishedRow:
    return PublishedRow(table, model, key)


def _longer(arms: tuple[Arm, ...], factor: int, **of_one: int) -> tuple[Arm, ...]:
    """The plain nets with ``factor`` times the epochs or iterations, the residual ones as they are."""
    more = {key: factor * value for key, value in of_one.items()}
    return tuple(
        replace(a, name=f"{a.name}, {factor} x", recipe=more) if a.name.startswith("plain") else a
        for a in arms
    )


_LONGER = nets("plain-20", "plain-56", "ResNet-56")
_LONGER_RULES = {
    "after three times the iterations the deeper plain net still has the higher training error": greater(
        "train_error", "plain-56, 3 x", "plain-20, 3 x"
    ),
    "which is also higher than that of ResNet-56 after a third of them": greater(
        "train_error", "plain-56, 3 x", "ResNet-56"
    ),
}
_SHORTCUTS = (
    net("plain-20"),
    *(Arm(f"option {option}", "cifar_resnet20", changes={"shortcut": option}) for option in "ABC"),
)
_EARLY = {
    f"{depth} layers: over the first quarter of the epochs the ResNet's training error is lower": greater(
        "early_train_error", f"plain-{depth}", f"ResNet-{depth}"
    )
    for depth in (20, 56)
}
_REFERENCES = (net("ResNet-20"), Arm("VGG, small", "vgg_tiny"), Arm("GoogLeNet, small", "googlenet_tiny"))

EXPERIMENTS = (
    Experiment(
        id="he2015/imagenet-plain",
        title="Plain and residual nets of 18 and 34 layers on ImageNet",
        zh="ImageNet 上 18 层与 34 层的普通网络和残差网络",
        claims=("X1", "X6"),
        where="He et al. 2015, sec. 4.1, Table 2 and Figure 4",
        settings=not_judged(NEEDS_IMAGENET, *SCALES),
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
        settings=quick(_longer(_LONGER, 3, epochs=10), _LONGER_RULES)
        | as_published(_longer(_LONGER, 3, iterations=64_000), _LONGER_RULES),
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
        settings=quick(
            _SHORTCUTS,
            {
                "B is more accurate than A": greater("test_error", "option A", "option B"),
                "C is more accurate than B": greater("test_error", "option B", "option C"),
                # Table 3: 0.84 points lie between A and C, 3.5 between the plain net and A
                "A and C are less than a point apart: A suffices": alike(
                    "test_error", "option A", "option C", 1.0
                ),
                "even A is better than no shortcut": greater("test_error", "plain-20", "option A"),
            },
        )
        | not_judged(NEEDS_IMAGENET),
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
        settings=quick(
            nets("ResNet-20", "ResNet-56", "ResNet-110"),
            {
                "56 layers err less than 20": greater("test_error", "ResNet-20", "ResNet-56"),
                "110 layers err less than 56": greater("test_error", "ResNet-56", "ResNet-110"),
            },
        )
        | as_published(
            nets(*_TABLE6),
            {
                **{
                    f"{model} has the error of Table 6": Number("test_error", model, *_TABLE6[model])
                    for model in _TABLE6
                },
                "1202 layers optimise: training error below 0.1 %": at_most(
                    "train_error", "ResNet-1202", 0.1
                ),
                "and err more than 110 layers": greater("test_error", "ResNet-1202", "ResNet-110"),
            },
            warm_up=("ResNet-110", "ResNet-1202"),
        ),
        measures=("test_error", "train_error"),
        published=(
            *(PublishedRow("he2015.t6", model, "err", model) for model in _TABLE6),
            PublishedRow("he2015.t6", "ResNet-110", "mean", "ResNet-110"),
            *(PublishedRow("community.akamaster", f"ResNet-{depth}", "err") for depth in (110, 1202)),
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
        id="he2015/convergence",
        title="Residual nets converge faster at the early stage",
        zh="残差网络在早期收敛更快",
        claims=("X6",),
        where="He et al. 2015, sec. 4.1, Figure 4",
        settings=quick(_PLAIN_AND_RESIDUAL, _EARLY)
        | small(_PLAIN_AND_RESIDUAL, _EARLY)
        | as_published(_PLAIN_AND_RESIDUAL, _EARLY),
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
        settings=quick(
            _REFERENCES,
            {
                "ResNet errs less than VGG": greater("test_error", "VGG, small", "ResNet-20"),
                "ResNet errs less than GoogLeNet": greater("test_error", "GoogLeNet, small", "ResNet-20"),
            },
        )
        | not_judged(NEEDS_IMAGENET),
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
        settings=quick(
            [replace(arm, changes=_NARROW) for arm in nets(*_ENSEMBLE)],
            {
                f"averaging the probabilities of six networks errs less than {arm} alone": EnsembleGain(
                    _ENSEMBLE, than=arm
                )
                for arm in _ENSEMBLE
            },
        )
        | not_judged(NEEDS_IMAGENET),
        look="probabilities",
        published=(
            _top1("ResNet (ILSVRC'15)", "he2015.t5", "top5_err"),
            _top1("ResNet-152", "he2015.t4", "top5_err"),
        ),
        observations=("ensemble-composition",),
        caveats=(
            "3.57 % is top-5, multi-scale, on ILSVRC's test set; no single network has it.",
            "The ensemble is held against each of its members, and so against the best; at the quick scale of nets a "
            "quarter as wide, which err often enough that 360 images can tell.",
        ),
    ),
)

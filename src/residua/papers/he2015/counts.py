"""He et al. 2015: what follows from the networks as they are built, and what its tables really print."""

from __future__ import annotations

from residua.experiments.experiment import SCALES, Arm, Experiment, PublishedRow, Scale, Setting
from residua.experiments.rules.directions import Number, Rule, Within, greater
from residua.experiments.rules.values import Ratio, same
from residua.experiments.scales import CIFAR, IMAGENET, nets, paper


def _exact(*arms: Arm, rules: tuple[Rule, ...]) -> dict[Scale, Setting | str]:
    return dict.fromkeys(SCALES, Setting(arms=arms, rules=rules, fixed=True))


def _imagenet(name: str, model: str, **more: object) -> Arm:
    return Arm(name=name, model=model, changes={**IMAGENET, **more})


_PAIRS = [
    Arm(
        name=f"{kind}-{depth}",
        model=f"{'cifar_' if layers is CIFAR else ''}{kind.lower()}{depth}",
        changes={**layers, "shortcut": "A"},
    )
    for layers, depths in ((CIFAR, (20, 32, 44, 56, 110)), (IMAGENET, (18, 34)))
    for depth in depths
    for kind in ("plain", "ResNet")
]
_PRINTED = {"ResNet-18": 1.8, "ResNet-34": 3.6, "ResNet-50": 3.8, "ResNet-101": 7.6, "ResNet-152": 11.3}
_TABLE1 = (
    _imagenet("ResNet-18", "resnet18"),
    _imagenet("ResNet-34", "resnet34"),
    *(_imagenet(f"ResNet-{depth}", f"resnet{depth}_v1") for depth in (50, 101, 152)),
    _imagenet("plain-34", "plain34"),
    _imagenet("VGG-16", "vgg16"),
    _imagenet("VGG-19", "vgg19"),
)


def _printed(arm: str, value: float) -> Within:
    """A figure printed with one decimal, which the paper cut (ResNet-50: 3.858 as 3.8) or rounded."""
    return Within(
        text=f"{arm} costs the {value} billion multiply-adds of the paper, cut or rounded",
        measure="gigaflops",
        arm=arm,
        low=value - 0.05,
        high=value + 0.1,
    )


def _figure(name: str, table: str, model: str, key: str) -> Arm:
    return Arm(name=name, options={"table": table, "model": model, "key": key})


_POPULAR = {"ResNet-20": 8.75, "plain-20": 8.75, "ResNet-56": 8.50, "plain-56": 9.53, "ResNet-110": 7.61}
_POPULAR_OPTIONS = {name: {"table": "he2015.t6", "model": name, "key": "err"} for name in _POPULAR}

EXPERIMENTS = (
    Experiment(
        id="he2015/shortcut-cost",
        title="What the shortcut options cost",
        zh="各捷径方案的参数代价",
        claims=("X3",),
        where="He et al. 2015, sec. 3.3 and 4.1",
        settings=_exact(
            *(
                _imagenet(f"ResNet-{depth} {option}", f"resnet{depth}", shortcut=option)
                for depth in (34, 50)
                for option in "ABC"
            ),
            rules=(
                Within(
                    text="option A has no parameters",
                    measure="projection_parameters",
                    arm="ResNet-34 A",
                    low=0,
                    high=0,
                ),
                Within(
                    text="ResNet-34 with option C has 22,716,840 parameters",
                    measure="parameters",
                    arm="ResNet-34 C",
                    low=22_716_840,
                    high=22_716_840,
                ),
                Ratio(
                    text="4 % more than with option B",
                    measure="parameters",
                    arm="ResNet-34 C",
                    of="ResNet-34 B",
                    low=1.035,
                    high=1.045,
                ),
                Within(
                    text="ResNet-50 with option C has 40,128,552 parameters",
                    measure="parameters",
                    arm="ResNet-50 C",
                    low=40_128_552,
                    high=40_128_552,
                ),
                Ratio(
                    text="57 % more than with option B",
                    measure="parameters",
                    arm="ResNet-50 C",
                    of="ResNet-50 B",
                    low=1.565,
                    high=1.575,
                ),
            ),
        ),
        look="cost",
        measures=("parameters", "projection_parameters", "gigaflops"),
        caveats=(
            "The paper gives no counts: these follow from its Table 1, each convolution followed by a batch norm.",
        ),
    ),
    Experiment(
        id="he2015/same-cost",
        title="Identity shortcuts add no parameters and no multiplications",
        zh="恒等捷径不增加参数和乘法",
        claims=("T9",),
        where="He et al. 2015, sec. 3.2 and 4.2",
        settings=_exact(
            *_PAIRS,
            rules=tuple(
                same(measure, f"ResNet-{depth}", f"plain-{depth}")
                for depth in (20, 32, 44, 56, 110, 18, 34)
                for measure in ("parameters", "multiply_adds")
            ),
        ),
        look="cost",
        measures=("parameters", "multiply_adds"),
        caveats=(
            'With option A; additions are not counted, as in the paper ("except for the negligible element-wise '
            'addition").',
        ),
    ),
    Experiment(
        id="he2015/table1",
        title="Table 1: what the ImageNet nets cost, and VGG's fully connected layers",
        zh="表 1：ImageNet 网络的计算量，以及 VGG 的全连接层",
        claims=("X7",),
        where="He et al. 2015, sec. 3.3 and 4.1, Table 1",
        settings=_exact(
            *_TABLE1,
            rules=(
                *(_printed(name, value) for name, value in _PRINTED.items()),
                _printed("plain-34", 3.6),
                _printed("VGG-19", 19.6),
                Ratio(
                    text="plain-34 has 18 % of VGG-19's multiply-adds",
                    measure="gigaflops",
                    arm="plain-34",
                    of="VGG-19",
                    low=0.175,
                    high=0.19,
                ),
                Ratio(
                    text="even ResNet-152 costs less than VGG-16",
                    measure="gigaflops",
                    arm="ResNet-152",
                    of="VGG-16",
                    high=1,
                ),
                Ratio(
                    text="bottlenecks or not, ResNet-50 costs more than ResNet-34",
                    measure="gigaflops",
                    arm="ResNet-50",
                    of="ResNet-34",
                    low=1,
                ),
                Within(
                    text="the fully connected layers of VGG-16 have 123.6 million parameters",
                    measure="head_parameters",
                    arm="VGG-16",
                    low=123.55e6,
                    high=123.65e6,
                ),
                Ratio(
                    text="that of ResNet-50, after global average pooling, has 2 % of them",
                    measure="head_parameters",
                    arm="ResNet-50",
                    of="VGG-16",
                    high=0.02,
                ),
            ),
        ),
        look="cost",
        measures=("gigaflops", "parameters", "head_parameters"),
        published=tuple(
            PublishedRow(
                table="he2015.t1flops", model=arm.name, key="gflops", measure="gigaflops", arm=arm.name
            )
            for arm in _TABLE1
        ),
        caveats=(
            "Multiply-adds of convolutions and fully connected layers; bottlenecks stride on their first 1x1, as the "
            "paper's do. VGG-16's printed 15.3 is its convolutions alone (15.35), VGG-19's 19.6 is all of it: no rule "
            "is made of the former.",
        ),
    ),
    Experiment(
        id="he2015/bottleneck",
        title="What a bottleneck saves at 256 channels",
        zh="瓶颈结构在 256 通道时节省了什么",
        claims=("X7",),
        where="He et al. 2015, sec. 4.1, Figure 5",
        settings=_exact(
            Arm(name="bottleneck, 256-d", model="resnet50_v1", options={"unit": "stages.0.1"}),
            Arm(name="two 3x3, 256-d", model="resnet34", options={"unit": "stages.2.1"}),
            Arm(name="two 3x3, 64-d", model="resnet34", options={"unit": "stages.0.1"}),
            rules=(
                Within(
                    text="1x1, 3x3, 1x1 around 64 channels at 256-d: 69,632 weights",
                    measure="weights",
                    arm="bottleneck, 256-d",
                    low=69_632,
                    high=69_632,
                ),
                Within(
                    text="two 3x3 at 256-d: 1,179,648 weights",
                    measure="weights",
                    arm="two 3x3, 256-d",
                    low=1_179_648,
                    high=1_179_648,
                ),
                Ratio(
                    text='"similar time complexity" to two 3x3 at 64-d (within 10 %)',
                    measure="weights",
                    arm="bottleneck, 256-d",
                    of="two 3x3, 64-d",
                    low=0.9,
                    high=1.1,
                ),
            ),
        ),
        look="branch_weights",
        measures=("weights", "channels"),
        caveats=("Weights of convolutions; on maps of one size multiply-adds are in the same proportion.",),
    ),
    Experiment(
        id="he2015/1202",
        title="1202 layers can be built, stepped and held in memory",
        zh="1202 层网络可以构建、训练一步，并装入内存",
        claims=("X4",),
        where="He et al. 2015, sec. 4.2",
        settings=_exact(
            Arm(name="ResNet-1202", model="cifar_resnet1202", changes=CIFAR),
            rules=(
                Within(
                    text="it has 19,421,274 parameters",
                    measure="parameters",
                    arm="ResNet-1202",
                    low=19_421_274,
                    high=19_421_274,
                ),
                Within(
                    text="a step of gradient descent lowers the loss on its images",
                    measure="loss_change",
                    arm="ResNet-1202",
                    high=-1e-3,
                ),
                Within(
                    text="a batch of 128 fits into 4 GB when units are recomputed",
                    measure="held_gb_recomputing",
                    arm="ResNet-1202",
                    high=4,
                ),
            ),
        ),
        look="training_step",
        measures=("parameters", "loss_change", "held_gb", "held_gb_recomputing"),
        published=(PublishedRow(table="he2015.t6", model="ResNet-1202", key="params_m"),),
        observations=("resnet1202",),
        caveats=(
            '"Over 1000 layers remain hard to optimise" contradicts the paper: it reports no difficulty and a training '
            "error below 0.1 %. One step on two images of noise; memory for 128 images by multiplication.",
        ),
    ),
    Experiment(
        id="he2015/popular-table",
        title="A popular CIFAR-10 table that is not in the paper",
        zh="一张流传甚广、却不在论文中的 CIFAR-10 表",
        claims=("X10",),
        where="He et al. 2015, sec. 4.2, Table 6",
        settings={
            "quick": Setting(
                arms=tuple(Arm(name=name, options=options) for name, options in _POPULAR_OPTIONS.items()),
                rules=tuple(
                    Within(
                        text=f"Table 6 prints {value:.2f} % for {name}",
                        measure="value" if name.startswith("ResNet") else "printed",
                        arm=name,
                        low=value if name.startswith("ResNet") else 1,
                        high=value if name.startswith("ResNet") else 1,
                    )
                    for name, value in _POPULAR.items()
                ),
                fixed=True,
            ),
            "paper": paper(
                [
                    Arm(name=arm.name, model=arm.model, options=_POPULAR_OPTIONS[arm.name])
                    for arm in nets(*_POPULAR)
                ],
                (
                    *(
                        Number(  # 0.48: three times the one spread that the paper prints, for single runs
                            text=f"{name} errs {value:.2f} %",
                            measure="test_error",
                            arm=name,
                            value=value,
                            tolerance=0.48,
                        )
                        for name, value in _POPULAR.items()
                    ),
                    greater("test_error", "plain-56", "ResNet-56", text="plain-56 errs more than ResNet-56"),
                ),
                warm_up=("ResNet-110",),
            ),
        },
        look="published_figure",
        measures=("printed", "value", "test_error"),
        published=(
            *(
                PublishedRow(table="he2015.t6", model=m, key="err", measure="test_error", arm=m)
                for m in ("ResNet-20", "ResNet-56", "ResNet-110")
            ),
            PublishedRow(
                table="he2015.t6", model="ResNet-110", key="mean", measure="test_error", arm="ResNet-110"
            ),
            PublishedRow(
                table="he2016.t3", model="ResNet-1001", key="original", where={"dataset": "CIFAR-10"}
            ),
        ),
        observations=("plain-cifar", "plain-110"),
        caveats=(
            "The claim as popularly made. Only ResNet-20's 8.75 is in the paper, which tabulates no plain net: its "
            "curves alone show them. 7.61 % is a ResNet of 1001 layers with original units (He et al. 2016).",
        ),
    ),
    Experiment(
        id="he2015/single-357",
        title='"ResNet-152 won with 3.57 %": a single network did not',
        zh="“ResNet-152 以 3.57 % 夺冠”：单个网络并没有",
        claims=("X9",),
        where="He et al. 2015, sec. 4.1, Tables 4 and 5",
        settings=_exact(
            _figure("ResNet-152, single", "he2015.t4", "ResNet-152", "top5_err"),
            _figure("the winning entry", "he2015.t5", "ResNet (ILSVRC'15)", "top5_err"),
            rules=(
                Within(
                    text="a single ResNet-152 has a top-5 error of 3.57 %",
                    measure="value",
                    arm="ResNet-152, single",
                    low=3.57,
                    high=3.57,
                ),
            ),
        ),
        look="published_figure",
        measures=("value",),
        published=(
            PublishedRow(
                table="he2015.t4",
                model="ResNet-152",
                key="top5_err",
                measure="value",
                arm="ResNet-152, single",
            ),
            PublishedRow(
                table="he2015.t5",
                model="ResNet (ILSVRC'15)",
                key="top5_err",
                measure="value",
                arm="the winning entry",
            ),
        ),
        observations=("ensemble-composition",),
        caveats=(
            "The claim as popularly made, held against the paper's own tables; nothing is trained. 3.57 % is an "
            "ensemble of six models on the test set, 4.49 % the best single one on the validation set, both "
            "multi-scale.",
        ),
    ),
)

"""He et al. 2015: what follows from the networks as they are built."""

from __future__ import annotations

from residua.experiments import Arm, Experiment, PublishedRow
from residua.experiments.rules import Reading, Within, at_least, at_most, below, between, exactly
from residua.experiments.scales import exact, untrained
from residua.papers.he2015.protocol import CIFAR, IMAGENET


def _imagenet(name: str, model: str, **more: object) -> Arm:
    return Arm(name, model, changes={**IMAGENET, **more})


_PAIRS = [
    Arm(
        f"{kind}-{depth}",
        f"{('cifar_' if layers is CIFAR else '')}{kind.lower()}{depth}",
        changes={**layers, "shortcut": "A"},
    )
    for layers, depths in ((CIFAR, (20, 32, 44, 56, 110)), (IMAGENET, (18, 34)))
    for depth in depths
    for kind in ("plain", "ResNet")
]
# billions of multiply-adds, with one decimal, which the paper cut (ResNet-50: 3.858 as 3.8) or rounded
_PRINTED = {
    "ResNet-18": 1.8,
    "ResNet-34": 3.6,
    "ResNet-50": 3.8,
    "ResNet-101": 7.6,
    "ResNet-152": 11.3,
    "plain-34": 3.6,
    "VGG-19": 19.6,
}
_TABLE1 = (
    _imagenet("ResNet-18", "resnet18"),
    _imagenet("ResNet-34", "resnet34"),
    *(_imagenet(f"ResNet-{depth}", f"resnet{depth}_v1") for depth in (50, 101, 152)),
    _imagenet("plain-34", "plain34"),
    _imagenet("VGG-16", "vgg16"),
    _imagenet("VGG-19", "vgg19"),
)


EXPERIMENTS = (
    Experiment(
        id="he2015/shortcut-cost",
        title="What the shortcut options cost",
        zh="各捷径方案的参数代价",
        claims=("X3",),
        where="He et al. 2015, sec. 3.3 and 4.1",
        settings=exact(
            (
                *(
                    _imagenet(f"ResNet-{depth} {option}", f"resnet{depth}", shortcut=option)
                    for depth in (34, 50)
                    for option in "ABC"
                ),
            ),
            {
                "option A has no parameters": exactly("projection_parameters", "ResNet-34 A", 0),
                "ResNet-34 with option C has 22,716,840 parameters": exactly(
                    "parameters", "ResNet-34 C", 22_716_840
                ),
                "4 % more than with option B": Within(
                    "parameters", "ResNet-34 C", 1.035, 1.045, of="ResNet-34 B"
                ),
                "ResNet-50 with option C has 40,128,552 parameters": exactly(
                    "parameters", "ResNet-50 C", 40_128_552
                ),
                "57 % more than with option B": Within(
                    "parameters", "ResNet-50 C", 1.565, 1.575, of="ResNet-50 B"
                ),
            },
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
        settings=exact(
            (*_PAIRS,),
            {
                f"ResNet-{depth} has the {measure.replace('_', '-')} of plain-{depth}, exactly": exactly(
                    measure, f"ResNet-{depth}", 1, of=f"plain-{depth}"
                )
                for depth in (20, 32, 44, 56, 110, 18, 34)
                for measure in ("parameters", "multiply_adds")
            },
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
        settings=exact(
            (*_TABLE1,),
            {
                **{
                    f"{arm} costs the {value} billion multiply-adds of the paper, cut or rounded": Within(
                        "gigaflops", arm, value - 0.05, value + 0.1
                    )
                    for arm, value in _PRINTED.items()
                },
                "plain-34 has 18 % of VGG-19's multiply-adds": Within(
                    "gigaflops", "plain-34", 0.175, 0.19, of="VGG-19"
                ),
                "even ResNet-152 costs less than VGG-16": at_most("gigaflops", "ResNet-152", 1, of="VGG-16"),
                "bottlenecks or not, ResNet-50 costs more than ResNet-34": at_least(
                    "gigaflops", "ResNet-50", 1, of="ResNet-34"
                ),
                "the fully connected layers of VGG-16 have 123.6 million parameters": Within(
                    "head_parameters", "VGG-16", 123.55e6, 123.65e6
                ),
                "that of ResNet-50, after global average pooling, has 2 % of them": at_most(
                    "head_parameters", "ResNet-50", 0.02, of="VGG-16"
                ),
            },
        ),
        look="cost",
        measures=("gigaflops", "parameters", "head_parameters"),
        published=tuple(
            PublishedRow("he2015.t1flops", arm.name, "gflops", arm.name, "gigaflops") for arm in _TABLE1
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
        settings=exact(
            (
                Arm("bottleneck, 256-d", "resnet50_v1", options={"unit": "stages.0.1"}),
                Arm("two 3x3, 256-d", "resnet34", options={"unit": "stages.2.1"}),
                Arm("two 3x3, 64-d", "resnet34", options={"unit": "stages.0.1"}),
            ),
            {
                "1x1, 3x3, 1x1 around 64 channels at 256-d: 69,632 weights": exactly(
                    "weights", "bottleneck, 256-d", 69_632
                ),
                "two 3x3 at 256-d: 1,179,648 weights": exactly("weights", "two 3x3, 256-d", 1_179_648),
                '"similar time complexity" to two 3x3 at 64-d (within 10 %)': Within(
                    "weights", "bottleneck, 256-d", 0.9, 1.1, of="two 3x3, 64-d"
                ),
            },
        ),
        look="branch_weights",
        measures=("weights", "channels"),
        caveats=("Weights of convolutions; on maps of one size multiply-adds are in the same proportion.",),
    ),
    Experiment(
        id="he2015/pointwise",
        title="1x1 convolutions cost compute too: about half of ResNet-50's",
        zh="1x1 卷积同样耗费计算：约占 ResNet-50 的一半",
        claims=("X7",),
        where="He et al. 2015, sec. 4.1, Table 1",
        settings=exact(
            tuple(arm for arm in _TABLE1 if arm.name.startswith("ResNet")),
            {
                "of ResNet-50's multiply-adds they are 49 %": Within(
                    "pointwise_share", "ResNet-50", 48.5, 49.5
                ),
                "of ResNet-34's, where they project alone, less than 1 %": at_most(
                    "pointwise_share", "ResNet-34", 1
                ),
            },
        ),
        look="cost",
        measures=("pointwise_share", "gigaflops"),
        caveats=("Multiply-adds of convolutions and the fully connected layer; the projections among them.",),
    ),
    Experiment(
        id="he2015/bottleneck-time",
        title="What a bottleneck saves in time, measured",
        zh="瓶颈结构节省的时间：实测",
        claims=("X7",),
        where="He et al. 2015, sec. 4.1, Figure 5",
        settings=untrained(
            tuple(
                Arm(
                    name,
                    "resnet50_v1",
                    changes=IMAGENET,
                    options={"unit": "stages.0.1", "against": "resnet34", "against_unit": unit, "side": side},
                )
                for name, unit, side in (
                    ("against two 3x3, 256-d", "stages.2.1", 14),
                    ("against two 3x3, 64-d", "stages.0.1", 56),
                )
            ),
            {
                "a bottleneck at 256-d takes less than half the time of two 3x3 at 256-d": below(
                    "time_ratio", "against two 3x3, 256-d", 0.5, smallest=0.05
                ),
                '"similar time complexity" to two 3x3 at 64-d holds of the time too (within a quarter)': Reading(
                    between("time_ratio", "against two 3x3, 64-d", 0.75, 1.25)
                ),
            },
        ),
        look="unit_time",
        measures=("time_ratio", "weights_ratio"),
        caveats=(
            "A training step of one unit, 8 maps of 14 px (against 256-d) or 56 px (against 64-d), in turns in one "
            "process, on one thread of a machine that other runs may share. The similar complexity is of counts "
            "(he2015/bottleneck).",
        ),
    ),
    Experiment(
        id="he2015/1202",
        title="1202 layers can be built and held in memory",
        zh="1202 层网络可以构建，并装入内存",
        claims=("X4",),
        where="He et al. 2015, sec. 4.2",
        settings=exact(
            (Arm("ResNet-1202", "cifar_resnet1202", changes=CIFAR),),
            {
                "it has 19,421,274 parameters": exactly("parameters", "ResNet-1202", 19_421_274),
                "a batch of 128 fits into 4 GB when units are recomputed": at_most(
                    "held_gb_recomputing", "ResNet-1202", 4
                ),
            },
        ),
        look="training_step",
        measures=("parameters", "held_gb", "held_gb_recomputing"),
        published=(PublishedRow("he2015.t6", "ResNet-1202", "params_m"),),
        observations=("resnet1202",),
        caveats=(
            "Counts and memory alone, for 128 images by multiplication. Whether such depth optimises is "
            "he2015/very-deep's question.",
        ),
    ),
)

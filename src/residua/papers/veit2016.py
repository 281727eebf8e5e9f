"""Veit, Wilber & Belongie 2016, "Residual Networks Behave Like Ensembles of Relatively Shallow Networks"."""

from __future__ import annotations

from residua.experiments import Arm, Experiment, Paper, PublishedRow
from residua.experiments.rules import Reading, Within, at_least, below, exactly, greater
from residua.experiments.scales import exact, nets, quick
from residua.parts import register

_RANGES = {"majority": (19, 35), "effective": (5, 17)}

_EFFECTIVE_LENGTHS = "effective paths (carry almost all gradient), modules"


def _row(quantity: str, key: str, measure: str = "") -> PublishedRow:
    arm = "ResNet-110" if measure else ""
    return PublishedRow("veit.paths", "", key, arm, measure, where={"quantity": quantity})


_EXACT = exact(
    (Arm("ResNet-110", "cifar_resnet110", options={"ranges": _RANGES}),),
    {
        "2^54 paths": exactly("log2_paths", "ResNet-110", 54),
        "more than 95 % of them are 19 to 35 units long": at_least("majority", "ResNet-110", 95),
        "0.45 % of them are 5 to 17 units long": Within("effective", "ResNet-110", 0.445, 0.455),
    },
)
_PATHS = Experiment(
    id="veit2016/paths",
    title="Most of the 2^54 paths of ResNet-110 are about 27 units long; the effective ones are 0.45 % of them",
    zh="ResNet-110 的 2^54 条路径大多长约 27 个单元；有效路径只占 0.45 %",
    claims=("T5",),
    where="Veit et al. 2016, sec. 4.3, Figure 6a",
    settings=_EXACT,
    look="path_counts",
    measures=("log2_paths", "majority", "effective"),
    figure="series",
    published=(
        _row("majority of paths, modules", "share_pct", "majority"),
        _row("effective paths as a share of all paths, percent", "value_num", "effective"),
    ),
    caveats=("By the structure alone; whether the short paths are effective is veit2016/effective-paths.",),
)

_EFFECTIVE = Experiment(
    id="veit2016/effective-paths",
    title="The paths that carry the gradient are short",
    zh="承载梯度的路径很短",
    claims=("T5",),
    where="Veit et al. 2016, sec. 4.3, Figure 6",
    settings=quick(
        nets("ResNet-56", images=32, draws=16, panel=2),
        {
            "weighted by the gradient that they carry, paths are shorter than the mean path (13.5 units)": below(
                "mean_length_by_gradient", "ResNet-56", 13.5, smallest=0.5
            ),
            "the lengths that carry 95 % of the gradient hold less than half of the paths": below(
                "share_of_paths", "ResNet-56", 0.5, smallest=0.05
            ),
        },
    ),
    look="paths",
    measures=("mean_length_by_gradient", "share_of_paths"),
    figure="series",
    published=tuple(_row(_EFFECTIVE_LENGTHS, key) for key in ("low", "high")),
    caveats=("The published 5 to 17 units are of a pre-activation ResNet-110 with 54 units on CIFAR-10.",),
)

_NETS = (*nets("ResNet-20", "ResNet-56", "plain-20"), Arm("VGG", "vgg_tiny"))
_LESIONS = Experiment(
    id="veit2016/lesions",
    title="Deleting one unit: a residual net hardly feels it, a VGG falls to chance",
    zh="删除一个单元：残差网络几乎不受影响，VGG 降到随机水平",
    claims=("T5",),
    where="Veit et al. 2016, sec. 4.1, Figure 3",
    settings=quick(
        _NETS,
        {
            "the same 20 layers lose more to a missing unit without shortcuts": greater(
                "one_deleted", "plain-20", "ResNet-20", smallest=2.0
            ),
            "so does a VGG to a missing layer": greater("one_deleted", "VGG", "ResNet-56", smallest=2.0),
            "a missing unit costs ResNet-56 less than 5 points on average": Reading(
                below("one_deleted", "ResNet-56", 5.0, smallest=2.0)
            ),
            "a missing layer brings the VGG within 10 points of chance, on average": Reading(
                below("chance_gap", "VGG", 10.0, smallest=2.0)
            ),
        },
    ),
    look="lesions",
    measures=("error", "one_deleted", "worst_deleted", "halving_deleted", "chance"),
    figure="bars",
    observations=("veit-lesion",),
    caveats=(
        "The paper's residual net has 54 pre-activation units, its VGG 15 layers, on CIFAR-10. The units that halve "
        "the map, whose loss the paper excepts, stand apart; plain units and VGG layers are bypassed, where shapes "
        "allow it.",
        "Points of error on 128 test images.",
    ),
)
_MANY = Experiment(
    id="veit2016/many-lesions",
    title="Deleting several units, or changing their order, raises the error smoothly, as in an ensemble",
    zh="删除多个单元或改变次序，误差平稳上升，如同集成",
    claims=("T5",),
    where="Veit et al. 2016, sec. 4.2 and 4.3, Figure 5",
    settings=quick(
        nets("ResNet-56"),
        {
            "no cliff: no doubling of the deleted units (1, 2, 4, 8, 16) makes three quarters of the rise": below(
                "largest_step", "ResNet-56", 0.75, smallest=0.05
            ),
            "the further the order is from the trained one (Kendall's tau), the higher the error": below(
                "order_correlation", "ResNet-56", 0.0, smallest=0.1
            ),
        },
    ),
    look="lesions",
    measures=("largest_step", "order_correlation"),
    figure="series",
    observations=("veit-many",),
    caveats=(
        "25 of the 27 units keep the shape and may change places; each number of deleted units or swaps is drawn five "
        "times.",
    ),
)

register(Paper(kind="veit2016", year=2016, experiments=(_PATHS, _EFFECTIVE, _LESIONS, _MANY)))

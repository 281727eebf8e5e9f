"""He et al. 2015: what a unit does: its responses, and units of a single layer."""

from __future__ import annotations

from residua.experiments import Arm, Experiment, PublishedRow
from residua.experiments.rules import greater
from residua.experiments.scales import net, nets, not_judged, small
from residua.papers.he2015.protocol import as_published

_PLAIN_AND_RESIDUAL = nets("plain-20", "plain-56", "ResNet-20", "ResNet-56")
_RESPONSES = {
    "20 layers: residual responses are smaller": greater("mean_std", "plain-20", "ResNet-20", smallest=0.05),
    "56 layers: residual responses are smaller": greater("mean_std", "plain-56", "ResNet-56", smallest=0.05),
    "the deeper ResNet has the smaller responses": greater(
        "mean_std", "ResNet-20", "ResNet-56", smallest=0.05
    ),
}
_ONE_LAYER = (
    *nets("plain-56", "ResNet-56"),
    # as many convolutions in twice as many units: the same parameters
    Arm("one layer", "cifar_resnet56", changes={"unit": "one_layer", "depths": [18, 18, 18]}),
)
_ONE_LAYER_RULES = {
    "with one layer a unit, the training error is no lower than without shortcuts (by more than 0.5 points)": greater(
        "train_error", "one layer", "plain-56", by=-0.5, smallest=0.5
    ),
    "and it is higher than with two layers a unit": greater(
        "train_error", "one layer", "ResNet-56", smallest=0.5
    ),
}

EXPERIMENTS = (
    Experiment(
        id="he2015/responses",
        title="Figure 7: layer responses of plain and residual nets",
        zh="图 7：普通网络与残差网络的层响应",
        claims=("X5",),
        where="He et al. 2015, sec. 4.2, Figure 7",
        settings=not_judged(
            "batch norm starts every response at a deviation of 1, and a few hundred steps move it by 3 %",
            "quick",
        )
        | small(_PLAIN_AND_RESIDUAL, _RESPONSES)
        | as_published(
            (*_PLAIN_AND_RESIDUAL, net("ResNet-110")),
            {
                **_RESPONSES,
                "and so from 56 layers to 110": greater("mean_std", "ResNet-56", "ResNet-110", smallest=0.05),
            },
            warm_up=("ResNet-110",),
        ),
        look="responses",
        measures=("mean_std", "median_std"),
        figure="series",
        observations=("fig7",),
        caveats=(
            "The paper prints no values. Measured on 256 test images, batch norm with its learned statistics. At the "
            "initialisation the deviation is 1 by construction: only a long training tells.",
        ),
    ),
    Experiment(
        id="he2015/one-layer",
        title="Units of one layer, which are said to gain nothing",
        zh="据称没有好处的单层残差单元",
        claims=("T8",),
        where="He et al. 2015, sec. 3.2; He et al. 2016, Table 3",
        settings=not_judged(
            "plain-56, which it is held against, is far from a plateau after some hundred steps on the digits",
            "quick",
        )
        | small(_ONE_LAYER, _ONE_LAYER_RULES)
        | as_published(_ONE_LAYER, _ONE_LAYER_RULES),
        measures=("train_error", "test_error"),
        figure="curves",
        published=(
            PublishedRow("he2016.t3", "ResNet-110 (1-layer skip)", "original"),
            PublishedRow("he2016.t3", "ResNet-110", "original", where={"dataset": "CIFAR-10"}),
        ),
        observations=("onelayer", "plain-110"),
        caveats=(
            "Of 110 layers with one-layer skips 9.90 % is published (He et al. 2016), where the plain net is above 60"
            " %: one layer a unit gains less than two, not nothing.",
        ),
    ),
)

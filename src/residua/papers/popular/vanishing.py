"""Do gradients vanish in plain nets? What popular texts say, and what He et al. 2015 (sec. 4.1) say of their own nets.

A popular table prints gradient norms of 1e-9, 1e-6 and 1e-20 at layers 1, 10 and 50 of a plain net, and 1e-3, 1.2e-3
and 0.8e-3 of a ResNet. The column of the plain net is not even monotone in depth, so no vanishing product explains it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from residua.experiments import Arm, Experiment, Paper
from residua.experiments.rules import Rule, above, below, between, greater
from residua.experiments.scales import quick, small, untrained
from residua.parts import register

_WHERE = "a popular table; He et al. 2015, sec. 4.1"
_ROWS = ("log10_ratio", "log10_layer_1", "log10_layer_10", "log10_layer_50")
_MEASURED = (
    "log10 ratio: of the gradient's norm at the first unit's input to that at the last one's. log10 layer n: of the "
    "norm at the weights of the n-th convolution. 64 training images, a training step, float64; mean cross entropy."
)
_POPULAR = (
    "The popular table prints 1e-9, 1e-6 and 1e-20 at layers 1, 10 and 50 of a plain net, 1e-3, 1.2e-3 and 0.8e-3 of a "
    "ResNet, without saying of which networks, losses or moments."
)


def _nets(*depths: int, suffix: str = "", **options: Any) -> tuple[Arm, ...]:
    return tuple(
        Arm(f"{label}-{depth}{suffix}", f"cifar_{kind}{depth}", options=options)
        for label, kind in (("plain", "plain"), ("ResNet", "resnet"))
        for depth in depths
    )


_VANISH: dict[str, Rule] = {
    "plain-56: on its way from the last unit to the first the gradient falls a thousandfold": below(
        "log10_ratio", "plain-56", -3.0, smallest=0.3
    )
}
_WITH_NORMS = Experiment(
    id="vanishing/at-initialisation",
    title="'The gradients of plain nets vanish': the nets of the paper, with batch normalisation, at initialisation",
    zh="“普通网络梯度消失”：论文中带批归一化的网络，初始化时",
    claims=("T4",),
    where=_WHERE,
    settings=untrained(
        (*_nets(20, 56, 110, init="He"), *_nets(56, suffix=", Xavier", init="Xavier")),
        {
            **_VANISH,
            "plain-56, layer 1: below 1e-6 (the table: 1e-9)": below(
                "log10_layer_1", "plain-56", -6.0, smallest=0.3
            ),
            "plain-56, layer 50: below 1e-6 (the table: 1e-20)": below(
                "log10_layer_50", "plain-56", -6.0, smallest=0.3
            ),
            "ResNet-56, layer 1: about 1e-3, below 1e-2": below(
                "log10_layer_1", "ResNet-56", -2.0, smallest=0.3
            ),
            "the shortcuts let more of the gradient through to the first unit": greater(
                "log10_ratio", "ResNet-56", "plain-56", smallest=0.3
            ),
        },
    ),
    look="signal",
    measures=_ROWS,
    figure="series",
    observations=("not-vanishing",),
    caveats=(
        _POPULAR,
        _MEASURED,
        "With batch normalisation the scale of the weights changes nothing: He or Xavier.",
    ),
)
_BARE = Experiment(
    id="vanishing/without-norms",
    title="Without batch normalisation: plain gradients do vanish after Xavier, and shortcuts prevent it",
    zh="没有批归一化时：Xavier 初始化下普通网络的梯度确实消失，捷径可以防止",
    claims=("T4",),
    where=_WHERE,
    settings=untrained(
        tuple(
            arm
            for init in ("He", "Xavier")
            for arm in _nets(20, 56, 110, suffix=f", {init}", init=init, norms=False)
        ),
        {
            "plain-56 after Xavier: the gradient falls more than a thousandfold": below(
                "log10_ratio", "plain-56, Xavier", -3.0, smallest=0.3
            ),
            "the deeper the plain net the further it falls: by another thousand from 20 to 110 layers": greater(
                "log10_ratio", "plain-20, Xavier", "plain-110, Xavier", by=3.0, smallest=0.3
            ),
            "He's initialisation, made for ReLU, keeps a thousand times as much": greater(
                "log10_ratio", "plain-56, He", "plain-56, Xavier", by=3.0, smallest=0.3
            ),
            "with shortcuts, at 110 layers, the gradient keeps at least a tenth": above(
                "log10_ratio", "ResNet-110, Xavier", -1.0, smallest=0.3
            ),
        },
    ),
    look="signal",
    measures=_ROWS,
    figure="series",
    caveats=(
        _POPULAR,
        _MEASURED,
        "Zero padding takes its share on maps of 2 to 8 pixels; see he2015init/plain without borders.",
    ),
)
_TRAINING = Experiment(
    id="vanishing/in-training",
    title="'The gradients of plain nets vanish': after ten epochs of training",
    zh="“普通网络梯度消失”：训练十个周期之后",
    claims=("T4",),
    where=_WHERE,
    settings=quick(
        _nets(20, 56),
        {
            **_VANISH,
            "plain-56, layer 1: below 1e-6 (the table: 1e-9)": below(
                "log10_layer_1", "plain-56", -6.0, smallest=0.3
            ),
        },
    ),
    look="signal",
    measures=_ROWS,
    figure="series",
    observations=("not-vanishing",),
    caveats=(_POPULAR, _MEASURED),
)


def _healthy(depths: Sequence[int], when: str) -> dict[str, Rule]:
    """Neither vanished nor exploded: the paper gives no figures, so what is healthy is residua's reading."""
    return {
        f"plain-{depth}, {when}: from the last unit to the first the gradient changes less than a hundredfold": between(
            "log10_ratio", f"plain-{depth}", -2.0, 2.0
        )
        for depth in depths
    }


_READING = (
    "The paper verified it and prints no figure. Healthy is read here as: less than a hundredfold either way, so that "
    "a gradient that explodes fails as one that vanishes does."
)
_HEALTHY = Experiment(
    id="vanishing/healthy",
    title="What the paper says: with batch normalisation plain gradients keep healthy norms",
    zh="论文的说法：有批归一化时，普通网络的梯度范数是健康的",
    claims=("T4",),
    where="He et al. 2015, sec. 4.1",
    settings=quick(
        _nets(20, 56),
        _healthy((20, 56), "after ten epochs"),
    )
    | small(
        _nets(20, 56),
        {
            **_healthy((20, 56), "trained"),
            "and yet the deeper plain net has the higher training error": greater(
                "train_error", "plain-56", "plain-20", smallest=0.5
            ),
        },
    ),
    look="signal",
    measures=("train_error", *_ROWS),
    figure="series",
    observations=("not-vanishing",),
    caveats=(_MEASURED, _READING),
)
_HEALTHY_AT_FIRST = Experiment(
    id="vanishing/healthy-at-initialisation",
    title="The same before the training: with batch normalisation plain gradients explode with depth",
    zh="训练之前：有批归一化时，普通网络的梯度随深度爆炸",
    claims=("T4",),
    where="He et al. 2015, sec. 4.1",
    settings=untrained(
        _nets(20, 56, 110, init="He"),
        {
            **_healthy((20, 56, 110), "at initialisation"),
            "with shortcuts, at 110 layers": between("log10_ratio", "ResNet-110", -2.0, 2.0),
        },
    ),
    look="signal",
    measures=_ROWS,
    figure="series",
    observations=("not-vanishing",),
    caveats=(
        _MEASURED,
        _READING,
        "The paper does not say when it looked: see vanishing/healthy for trained nets.",
    ),
)

register(
    Paper(
        kind="vanishing",
        year=2015,
        experiments=(_WITH_NORMS, _BARE, _TRAINING, _HEALTHY, _HEALTHY_AT_FIRST),
    )
)

"""How the gradient of residual nets grows with depth: as a power, or exponentially. Experiments of ``theory``."""

from __future__ import annotations

import math
from typing import Any

from residua.experiments import Arm, Experiment
from residua.experiments.rules import Contrast, Within, at_least, at_most, greater
from residua.experiments.rules.directions import Interval
from residua.experiments.scales import exact, untrained

_WHERE = "a popular text; He et al. 2016, sec. 2"
_UNITS = {20: 9, 56: 27, 110: 54}
_LOOKED = {"init": "He"}  # as in vanishing/*, which share what is measured
_GAIN = (
    "log10 ratio: of the gradient's norm at the first unit's input to that at the last one's, in a training step. "
    "log10 gain: the same a unit, on the geometric mean."
)

_SCALARS = Experiment(
    id="theory/scalar-example",
    title="0.9^99 and 1.1^99: both exponential, neither polynomial",
    zh="0.9^99 与 1.1^99：二者都是指数，不是多项式",
    claims=("T3",),
    where=_WHERE,
    settings=exact(
        (Arm("0.9", options={"factor": 0.9}), Arm("1.1", options={"factor": 1.1})),
        {
            "0.9^99 is 3e-5": Within("product", "0.9", 2.95e-5, 2.96e-5),
            "1.1^99 is 1.3e4": Within("product", "1.1", 12_527, 12_528),
            "1.1^L grows like a polynomial: its degree is the same at any L": at_most(
                "degree_ratio", "1.1", 1.01
            ),
        },
    ),
    look="scalar_growth",
    measures=("product", "degree_ratio"),
    figure="series",
    observations=("lambda",),
    caveats=(
        "Gradients through real residual units x + F(x) with F = (factor - 1) x. (1 + e)^L stays below exp(c) only "
        "where the branches shrink with depth, e = c / L.",
    ),
)

_FIRST_ORDER = Experiment(
    id="theory/first-order",
    title="(1 + e)^n is about 1 + n e while n e is small, and exponential from there on",
    zh="n·e 很小时 (1 + e)^n ≈ 1 + n·e，此后呈指数增长",
    claims=("T3",),
    where="popular texts; He et al. 2016, sec. 2",
    settings=exact(
        tuple(
            Arm(name, options={"factor": 1 + e})
            for name, e in (("n e = 0.1", 0.1 / 99), ("n e = 1", 1 / 99), ("n e = 9.9", 0.1))
        ),
        {
            "99 units, n e = 0.1: 1 + n e is right to half a percent": at_most(
                "first_order_error", "n e = 0.1", 0.005
            ),
            "n e = 1: it is a quarter short": Within("first_order_error", "n e = 1", 0.25, 0.27),
            "n e = 9.9: it says 10.9 of 12,528": at_least("first_order_error", "n e = 9.9", 0.999),
            "the growth is exponential: its degree doubles as n doubles": Within(
                "degree_ratio", "n e = 9.9", 1.99, 2.01
            ),
            "branches that shrink with depth, e = 1 / n, hold the product below Euler's number": at_most(
                "product", "n e = 1", math.e
            ),
        },
    ),
    look="scalar_growth",
    measures=("product", "first_order", "first_order_error", "degree_ratio"),
    figure="series",
    caveats=("Gradients through 99 real residual units x + e x. The error is relative to the product.",),
)


def _nets(kind: str, *depths: int, suffix: str = "", **options: Any) -> tuple[Arm, ...]:
    return tuple(
        Arm(f"{kind}-{depth}{suffix}", f"cifar_{kind.lower()}{depth}", options={**_LOOKED, **options})
        for depth in depths
    )


# n^k over n units: a factor of exp(k log(n) / n) a unit; its logarithm falls to 0.30 from 9 to 54 units
_FALLS = Contrast("log10_gain", {"ResNet-20": 0.5, "ResNet-110": -1.0}, smallest=0.005)
_PER_DECADE = 1 / math.log10(_UNITS[110] / _UNITS[20])
_GROWTH = Experiment(
    id="theory/growth",
    title="The gradients of residual nets, as they are: a power of the depth",
    zh="残差网络（带批归一化）的梯度：随深度按幂次增长",
    claims=("T3",),
    where=_WHERE,
    settings=untrained(
        (*_nets("ResNet", 20, 56, 110), *_nets("plain", 20, 56, 110)),
        {
            "polynomial: the gain of a unit (its logarithm) falls to less than half from 20 to 110 layers": _FALLS,
            "its degree in the number of units is about 1 (0.8 to 1.4)": Interval(
                "log10_ratio", {"ResNet-110": _PER_DECADE, "ResNet-20": -_PER_DECADE}, 0.8, 1.4
            ),
            "without the shortcuts it is exponential: there the gain stays (above 0.8 of that at 20 layers)": Contrast(
                "log10_gain", {"plain-110": 1.0, "plain-20": -0.8}, smallest=0.005
            ),
        },
    ),
    look="signal",
    measures=("log10_gain", "log10_ratio"),
    figure="series",
    caveats=(
        _GAIN,
        "With batch normalisation, at initialisation. The popular text speaks of 1.1^99 as polynomial, which is not: "
        "theory/scalar-example; without norms the growth is exponential: theory/growth-without-norms.",
    ),
)
_BARE = Experiment(
    id="theory/growth-without-norms",
    title="Without norms the gradients of residual nets grow exponentially with depth; batch norm holds them",
    zh="没有归一化时，残差网络的梯度随深度指数增长；批归一化抑制了这种增长",
    claims=("T3",),
    where="He et al. 2016, sec. 2; De & Smith 2020",
    settings=untrained(
        (*_nets("ResNet", 20, 56, 110, norms=False), *_nets("ResNet", 110, suffix=", batch norm")),
        {
            "exponential: from 56 to 110 layers the gain of a unit (its logarithm) stays, above 0.8 of it": Contrast(
                "log10_gain", {"ResNet-110": 1.0, "ResNet-56": -0.8}, smallest=0.005
            ),
            "at 110 layers batch norm takes a hundredth of the growth or less": greater(
                "log10_ratio", "ResNet-110", "ResNet-110, batch norm", by=2.0, smallest=0.3
            ),
        },
    ),
    look="signal",
    measures=("log10_gain", "log10_ratio"),
    figure="series",
    caveats=(
        _GAIN,
        "At He's initialisation: a product of equal factors is exponential, whatever the factor.",
    ),
)

EXPERIMENTS = (_SCALARS, _FIRST_ORDER, _GROWTH, _BARE)

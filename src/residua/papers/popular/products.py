"""The theory of residual units, as He et al. 2016 (sec. 2) derive it and as popular texts repeat it.

A statement that popular texts have made of it is judged as they make it: what is refuted here is theirs.
"""

from __future__ import annotations

from typing import Any

from residua.experiments import Arm, Experiment, Paper
from residua.experiments.rules import at_least, at_most
from residua.experiments.scales import exact, quick
from residua.papers.popular import growth
from residua.parts import register

_ROUNDING = 1e-10  # of some hundred operations in float64, with room


def _arms(**options: Any) -> tuple[Arm, ...]:
    networks = {
        "pre-activation ResNet-20": "cifar_preact_resnet20",
        "ResNet-20": "cifar_resnet20",
        "ResNet-56": "cifar_resnet56",
        "plain-20": "cifar_plain20",
    }
    return tuple(Arm(name, model, options=options) for name, model in networks.items())


_UNROLLED = Experiment(
    id="theory/unrolled",
    title="x_L = x_l + sum F_i: exact along identity units, and only there",
    zh="x_L = x_l + ΣF_i：仅在恒等单元上精确成立",
    claims=("T1",),
    where="He et al. 2016, sec. 2, eq. 4",
    settings=quick(
        _arms(panel=0),
        {
            "with identity shortcuts and nothing after the addition the sum is exact to rounding": at_most(
                "relative_error", "pre-activation ResNet-20", 1e-12
            ),
            "with a ReLU after the addition it is off by more than a tenth of |x_L|": at_least(
                "relative_error", "ResNet-20", 0.1
            ),
            "and so at 56 layers": at_least("relative_error", "ResNet-56", 0.1),
        },
        fixed=True,
    ),
    look="unroll",
    measures=("relative_error", "spoilt"),
    figure="series",
    caveats=(
        "Trained networks, in float64 and evaluation mode, over the units of a stage: a unit that changes the shape "
        "ends a sum. Relative to |x_L|, the worst image.",
        "Texts that print the formula for 'ResNet' mean the network of 2015, which has a ReLU after every addition.",
    ),
)

_PRODUCT_ARMS = _arms()
_PRODUCT = Experiment(
    id="theory/gradient-product",
    title="The gradient is the product of the factors D (S + J)",
    zh="梯度等于各因子 D(S + J) 的乘积",
    claims=("T2",),
    where="He et al. 2016, sec. 2, eq. 5 and appendix",
    settings=quick(
        _PRODUCT_ARMS,
        {
            **{
                f"{arm.name}: the product of D (S + J), each built from its part alone, is autograd's": at_most(
                    "relative_error", arm.name, _ROUNDING
                )
                for arm in _PRODUCT_ARMS
            },
            **{
                f"{arm.name}: so is what a direction does to the loss that is pushed through the factors": at_most(
                    "forward_error", arm.name, _ROUNDING
                )
                for arm in _PRODUCT_ARMS
            },
            "with nothing after the addition the product of I + J is as exact (eq. 5)": at_most(
                "naive_error", "pre-activation ResNet-20", _ROUNDING
            ),
        },
        fixed=True,
    ),
    look="jacobian",
    measures=("relative_error", "forward_error", "naive_error"),
    observations=("gradient-1",),
    caveats=(
        "J is the Jacobian of the branch, S of the shortcut, D of what follows the addition; evaluation mode, float64, "
        "relative to the gradient's norm, the worst of all units and images.",
    ),
)
_NAIVE = Experiment(
    id="theory/naive-product",
    title="The popular product of I + J_i, for the ResNet of 2015",
    zh="流行说法：2015 年 ResNet 的梯度等于 Π(I + J_i)",
    claims=("T2",),
    where="He et al. 2016, sec. 2, eq. 5, as popular texts apply it",
    settings=quick(
        _PRODUCT_ARMS[:3],
        {
            f"{arm.name}: the gradient is the product of I + J": at_most("naive_error", arm.name, _ROUNDING)
            for arm in _PRODUCT_ARMS[1:3]
        },
        fixed=True,
    ),
    look="jacobian",
    measures=("naive_error", "relative_error"),
    caveats=(
        "Popular: the formula leaves out the ReLU after the addition. A unit that changes the shape keeps its own "
        "shortcut here, for I would not fit.",
    ),
)

_POPULAR = "at least 1: "
_AT_LEAST_ONE_SETTING = exact(
    (
        Arm("F = -x", options={"construction": "negation"}),
        Arm("99 units, F = -0.1 x", options={"construction": "opposed"}),
        Arm("99 units, F = 0.1 x", options={"construction": "aligned"}),
        Arm("99 random units, |J| = 0.1", options={"construction": "random"}),
        Arm("spectral radius 0", options={"construction": "nilpotent"}),
    ),
    {
        _POPULAR + "one unit": at_least("least", "F = -x", 1.0),
        _POPULAR + "99 units whose branches have a norm of 0.1": at_least(
            "least", "99 units, F = -0.1 x", 1.0
        ),
        _POPULAR + "the same with random branches": at_least("least", "99 random units, |J| = 0.1", 1.0),
        "a spectral radius r of J makes I + J about 1 + r (r = 0: nothing grows)": at_most(
            "greatest", "spectral radius 0", 1.1
        ),
        "what does hold: with |J| <= 0.1 nothing grows beyond 1.1^99": at_most(
            "greatest", "99 random units, |J| = 0.1", 12_528
        ),
    },
)
_AT_LEAST_ONE = Experiment(
    id="theory/at-least-one",
    title="'A residual unit transmits the gradient with a factor of at least 1'",
    zh="“残差单元传递梯度的系数至少为 1”",
    claims=("T11",),
    where="popular texts; He et al. 2016, sec. 2",
    settings=_AT_LEAST_ONE_SETTING,
    look="transmitted",
    measures=("least", "greatest"),
    observations=("gradient-1",),
    caveats=(
        "Smallest and largest singular value of the Jacobian of real residual units. With |J| <= e only (1 - e)^L and "
        "(1 + e)^L bound them: from below that is the figure of the plain net.",
    ),
)
_SMALL, _HE = "9 units with ReLU, a hundredth of He's weights", "9 units with ReLU, He's weights"
_SMALL_WEIGHTS = Experiment(
    id="theory/small-weights",
    title="Small weights and ReLU keep the gradient of residual units near the identity; He's weights do not",
    zh="权重很小且使用 ReLU 时，残差单元的梯度接近恒等；He 初始化的权重则不然",
    claims=("T11",),
    where="popular texts; He et al. 2016, sec. 2",
    settings=exact(
        (
            Arm(_SMALL, options={"construction": "small_relu"}),
            Arm(_HE, options={"construction": "he_relu"}),
        ),
        {
            "small weights: no direction loses more than 1 %": at_least("least", _SMALL, 0.99),
            "nor gains more than 1 %": at_most("greatest", _SMALL, 1.01),
            "at He's scale, without norms, some direction loses more than half": at_most("least", _HE, 0.5),
            "and some grows more than tenfold": at_least("greatest", _HE, 10.0),
        },
    ),
    look="transmitted",
    measures=("least", "greatest"),
    caveats=(
        "Singular values of the Jacobian of nine real residual units of two linear layers, 32 wide, without norms, at "
        "a random point. Weights that start small grow in the training: theory/at-least-one-measured.",
    ),
)
_MEASURED = Experiment(
    id="theory/at-least-one-measured",
    title="The smallest factor of the gradient in trained residual nets",
    zh="训练后的残差网络中梯度的最小系数",
    claims=("T11",),
    where="popular texts; He et al. 2016, sec. 2",
    settings=quick(
        _arms(),
        {
            f"{_POPULAR}every unit of {name}": at_least("least", name, 1.0)
            for name in ("ResNet-20", "ResNet-56", "pre-activation ResNet-20")
        },
        fixed=True,
    ),
    look="transmitted",
    measures=("least", "greatest", "below_1"),
    figure="series",
    caveats=(
        "Norm of the gradient at a unit's input over that at its output, for each image, in units that keep the shape; "
        "evaluation mode, float64. 'below 1' is the share of units and images, in percent.",
    ),
)

_SINGULAR = Experiment(
    id="theory/singular-values",
    title="The smallest singular value of the product of I + J in trained residual nets",
    zh="训练后的残差网络中 Π(I + J) 的最小奇异值",
    claims=("T11",),
    where="popular texts; He et al. 2016, sec. 2",
    settings=quick(
        _arms()[:3],
        {
            f"{_POPULAR}{name}, in every direction": at_least("smallest", name, 1.0)
            for name in ("pre-activation ResNet-20", "ResNet-20", "ResNet-56")
        },
        fixed=True,
    ),
    look="singular_values",
    measures=("smallest", "largest", "e", "lower", "upper"),
    figure="series",
    caveats=(
        "Over the longest run of units that keep a shape of at most 512 values, at one image. The curves scale the "
        "branches down: x is e, the largest norm of a J, and (1 - e)^L and (1 + e)^L are the bounds.",
    ),
)

register(
    Paper(
        kind="theory",
        year=2016,
        experiments=(
            _UNROLLED,
            _PRODUCT,
            _NAIVE,
            *growth.EXPERIMENTS,
            _AT_LEAST_ONE,
            _SMALL_WEIGHTS,
            _MEASURED,
            _SINGULAR,
        ),
    )
)

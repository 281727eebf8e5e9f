"""The theory of residual units, as He et al. 2016 (sec. 2) derive it and as popular texts repeat it.

A statement that popular texts have made of it is judged as they make it: what is refuted here is theirs.
"""

from __future__ import annotations

from typing import Any

from residua.experiments.experiment import SCALES, Arm, Experiment, Setting
from residua.experiments.rules.directions import Contrast, Within

_TEN_EPOCHS = {"epochs": 10}  # the same trainings as those of he2015/degradation
_ROUNDING = 1e-10  # of some hundred operations in float64, with room


def _arms(**options: Any) -> tuple[Arm, ...]:
    networks = {
        "pre-activation ResNet-20": "cifar_preact_resnet20",
        "ResNet-20": "cifar_resnet20",
        "ResNet-56": "cifar_resnet56",
        "plain-20": "cifar_plain20",
    }
    return tuple(Arm(name=name, model=model, options=options) for name, model in networks.items())


_UNROLLED = Experiment(
    id="theory/unrolled",
    title="x_L = x_l + sum F_i: exact along identity units, and only there",
    zh="x_L = x_l + ΣF_i：仅在恒等单元上精确成立",
    claims=("T1",),
    where="He et al. 2016, sec. 2, eq. 4",
    settings={
        "quick": Setting(
            arms=_arms(kind="unroll", panel=0),
            rules=(
                Within(
                    text="with identity shortcuts and nothing after the addition the sum is exact to rounding",
                    measure="relative_error",
                    arm="pre-activation ResNet-20",
                    high=1e-12,
                ),
                Within(
                    text="with a ReLU after the addition it is off by more than a tenth of |x_L|",
                    measure="relative_error",
                    arm="ResNet-20",
                    low=0.1,
                ),
                Within(text="and so at 56 layers", measure="relative_error", arm="ResNet-56", low=0.1),
            ),
            recipe="digits",
            changes=_TEN_EPOCHS,
            fixed=True,
        ),
    },
    look="finding",
    measures=("relative_error", "spoilt"),
    figure="series",
    caveats=(
        "Trained networks, in float64 and evaluation mode, over the units of a stage: a unit that changes the shape "
        "ends a sum. Relative to |x_L|, the worst image.",
        "Texts that print the formula for 'ResNet' mean the network of 2015, which has a ReLU after every addition.",
    ),
)

_PRODUCT_ARMS = _arms(kind="jacobian")
_PRODUCT = Experiment(
    id="theory/gradient-product",
    title="The gradient is the product of the factors D (S + J)",
    zh="梯度等于各因子 D(S + J) 的乘积",
    claims=("T2",),
    where="He et al. 2016, sec. 2, eq. 5 and appendix",
    settings={
        "quick": Setting(
            arms=_PRODUCT_ARMS,
            rules=(
                *(
                    Within(
                        text=f"{arm.name}: the product of D (S + J), each built from its part alone, is autograd's",
                        measure="relative_error",
                        arm=arm.name,
                        high=_ROUNDING,
                    )
                    for arm in _PRODUCT_ARMS
                ),
                *(
                    Within(
                        text=f"{arm.name}: so is what a direction does to the loss that is pushed through the factors",
                        measure="forward_error",
                        arm=arm.name,
                        high=_ROUNDING,
                    )
                    for arm in _PRODUCT_ARMS
                ),
                Within(
                    text="with nothing after the addition the product of I + J is as exact (eq. 5)",
                    measure="naive_error",
                    arm="pre-activation ResNet-20",
                    high=_ROUNDING,
                ),
            ),
            recipe="digits",
            changes=_TEN_EPOCHS,
            fixed=True,
        ),
    },
    look="finding",
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
    settings={
        "quick": Setting(
            arms=_PRODUCT_ARMS[:3],
            rules=tuple(
                Within(
                    text=f"{arm.name}: the gradient is the product of I + J",
                    measure="naive_error",
                    arm=arm.name,
                    high=_ROUNDING,
                )
                for arm in _PRODUCT_ARMS[1:3]
            ),
            recipe="digits",
            changes=_TEN_EPOCHS,
            fixed=True,
        ),
    },
    look="finding",
    measures=("naive_error", "relative_error"),
    caveats=(
        "Popular: the formula leaves out the ReLU after the addition. A unit that changes the shape keeps its own "
        "shortcut here, for I would not fit.",
    ),
)

_SCALARS_SETTING = Setting(
    arms=(
        Arm(name="0.9", options={"factor": 0.9}),
        Arm(name="1.1", options={"factor": 1.1}),
    ),
    rules=(
        Within(text="0.9^99 is 3e-5", measure="product", arm="0.9", low=2.95e-5, high=2.96e-5),
        Within(text="1.1^99 is 1.3e4", measure="product", arm="1.1", low=12_527, high=12_528),
        Within(
            text="1.1^L grows like a polynomial: its degree is the same at any L",
            measure="degree_ratio",
            arm="1.1",
            high=1.01,
        ),
    ),
    fixed=True,
)
_SCALARS = Experiment(
    id="theory/scalar-example",
    title="0.9^99 and 1.1^99: both exponential, neither polynomial",
    zh="0.9^99 与 1.1^99：二者都是指数，不是多项式",
    claims=("T3",),
    where="a popular text; He et al. 2016, sec. 2",
    settings=dict.fromkeys(SCALES, _SCALARS_SETTING),
    look="scalar_growth",
    measures=("product", "degree_ratio"),
    figure="series",
    observations=("lambda",),
    caveats=(
        "Gradients through real residual units x + F(x) with F = (factor - 1) x. (1 + e)^L stays below exp(c) only "
        "where the branches shrink with depth, e = c / L.",
    ),
)

_BARE = {"init": "He", "norms": False}
_GROWTH = Experiment(
    id="theory/growth",
    title="Do the gradients of residual nets grow only polynomially with depth?",
    zh="残差网络的梯度是否只随深度多项式增长？",
    claims=("T3",),
    where="a popular text; He et al. 2016, sec. 2",
    settings={
        "quick": Setting(
            arms=tuple(
                Arm(name=f"ResNet-{depth}", model=f"cifar_resnet{depth}", options=_BARE)
                for depth in (20, 56, 110)
            ),
            rules=(
                # n^k over n units: a factor of exp(k log(n) / n) a unit; from 9 to 54 units its logarithm falls to 0.30
                Contrast(
                    text="polynomial: the gain of a unit (its logarithm) falls to less than half from 20 to 110 layers",
                    measure="log10_gain",
                    weights={"ResNet-20": 0.5, "ResNet-110": -1.0},
                ),
            ),
        ),
    },
    look="signal",
    measures=("log10_gain", "log10_ratio"),
    figure="series",
    caveats=(
        "Without norms, at He's initialisation, where nothing holds the gradient back. log10 gain: of the gradient's "
        "norm from one unit to the one before, on the geometric mean.",
        "A product of equal factors is exponential in the number of units, whatever the factor.",
    ),
)

_POPULAR = "at least 1: "
_AT_LEAST_ONE_SETTING = Setting(
    arms=(
        Arm(name="F = -x", options={"construction": "negation"}),
        Arm(name="99 units, F = -0.1 x", options={"construction": "opposed"}),
        Arm(name="99 units, F = 0.1 x", options={"construction": "aligned"}),
        Arm(name="99 random units, |J| = 0.1", options={"construction": "random"}),
        Arm(name="spectral radius 0", options={"construction": "nilpotent"}),
    ),
    rules=(
        Within(text=_POPULAR + "one unit", measure="least", arm="F = -x", low=1.0),
        Within(
            text=_POPULAR + "99 units whose branches have a norm of 0.1",
            measure="least",
            arm="99 units, F = -0.1 x",
            low=1.0,
        ),
        Within(
            text=_POPULAR + "the same with random branches",
            measure="least",
            arm="99 random units, |J| = 0.1",
            low=1.0,
        ),
        Within(
            text="a spectral radius r of J makes I + J about 1 + r (r = 0: nothing grows)",
            measure="greatest",
            arm="spectral radius 0",
            high=1.1,
        ),
        Within(
            text="what does hold: with |J| <= 0.1 nothing grows beyond 1.1^99",
            measure="greatest",
            arm="99 random units, |J| = 0.1",
            high=12_528,
        ),
    ),
    fixed=True,
)
_AT_LEAST_ONE = Experiment(
    id="theory/at-least-one",
    title="'A residual unit transmits the gradient with a factor of at least 1'",
    zh="“残差单元传递梯度的系数至少为 1”",
    claims=("T11",),
    where="popular texts; He et al. 2016, sec. 2",
    settings=dict.fromkeys(SCALES, _AT_LEAST_ONE_SETTING),
    look="transmitted",
    measures=("least", "greatest"),
    observations=("gradient-1",),
    caveats=(
        "Smallest and largest singular value of the Jacobian of real residual units. With |J| <= e only (1 - e)^L and "
        "(1 + e)^L bound them: from below that is the figure of the plain net.",
    ),
)
_MEASURED = Experiment(
    id="theory/at-least-one-measured",
    title="The smallest factor of the gradient in trained residual nets",
    zh="训练后的残差网络中梯度的最小系数",
    claims=("T11",),
    where="popular texts; He et al. 2016, sec. 2",
    settings={
        "quick": Setting(
            arms=_arms(),
            rules=tuple(
                Within(text=f"{_POPULAR}every unit of {name}", measure="least", arm=name, low=1.0)
                for name in ("ResNet-20", "ResNet-56", "pre-activation ResNet-20")
            ),
            recipe="digits",
            changes=_TEN_EPOCHS,
            fixed=True,
        ),
    },
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
    settings={
        "quick": Setting(
            arms=_arms()[:3],
            rules=tuple(
                Within(text=f"{_POPULAR}{name}, in every direction", measure="smallest", arm=name, low=1.0)
                for name in ("pre-activation ResNet-20", "ResNet-20", "ResNet-56")
            ),
            recipe="digits",
            changes=_TEN_EPOCHS,
            fixed=True,
        ),
    },
    look="singular_values",
    measures=("smallest", "largest", "e", "lower", "upper"),
    figure="series",
    caveats=(
        "Over the longest run of units that keep a shape of at most 512 values, at one image. The curves scale the "
        "branches down: x is e, the largest norm of a J, and (1 - e)^L and (1 + e)^L are the bounds.",
    ),
)

EXPERIMENTS = (_UNROLLED, _PRODUCT, _NAIVE, _SCALARS, _GROWTH, _AT_LEAST_ONE, _MEASURED, _SINGULAR)

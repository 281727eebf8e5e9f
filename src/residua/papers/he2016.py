"""He, Zhang, Ren & Sun 2016, "Identity Mappings in Deep Residual Networks"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from residua.experiments import Arm, Experiment, Paper, PublishedRow
from residua.experiments.rules import (
    Contrast,
    Rule,
    Within,
    alike,
    at_least,
    exactly,
    greater,
    published_errors,
)
from residua.experiments.scales import exact, nets, quick
from residua.papers.he2015.protocol import CIFAR, as_published
from residua.parts import register

# 0.5 points: medians of five runs here against means; the published spreads of five runs are 0.14 to 0.20
_TOLERANCE = 0.5
_FAIL = 20.0  # Table 1: "fail" is a test error above 20 %

# Table 1: a variant's name, what is appended to the network's name, changes, the published row and its error
_VARIANTS: tuple[tuple[str, str, dict[str, Any], str, float | None], ...] = (
    ("scaling 0.5 | 1", "half_shortcut", {}, "constant scaling", None),
    ("scaling 0.5 | 0.5", "constant_scaling", {}, "constant scaling", 12.35),
    ("exclusive gating, b = -6", "exclusive_gating", {}, "exclusive gating", 8.70),
    (
        "shortcut-only gating, b = 0",
        "shortcut_only_gating",
        {"gate_bias": 0.0},
        "shortcut-only gating",
        12.86,
    ),
    ("shortcut-only gating, b = -6", "shortcut_only_gating", {}, "shortcut-only gating", 6.91),
    ("1x1 convolution", "conv_shortcut", {}, "1x1 conv shortcut", 12.22),
    ("dropout 0.5", "dropout_shortcut", {}, "dropout shortcut", None),
)
_TABLE1 = {name: error for name, *_, error in _VARIANTS if error is not None}
_HARMLESS_BELOW_110 = ("1x1 convolution", "shortcut-only gating, b = -6")

# Table 2: an order's name, what is appended, the published row, its error at 110 layers
_ORDERS = (
    ("BN after addition", "_bn_after_addition", "BN after addition", 8.17),
    ("ReLU before addition", "_relu_before_addition", "ReLU before addition", 7.84),
    ("ReLU-only pre-activation", "_relu_only_preact", "ReLU-only pre-activation", 6.71),
)


_TABLE2 = {"original": 6.61, **{name: error for name, *_, error in _ORDERS}, "full pre-activation": 6.37}


def _shortcuts(depth: int) -> tuple[Arm, ...]:
    return (
        Arm("original", f"cifar_resnet{depth}"),
        *(
            Arm(name, f"cifar_resnet{depth}_{suffix}", changes=changes)
            for name, suffix, changes, *_ in _VARIANTS
        ),
    )


def _orders(depth: int) -> tuple[Arm, ...]:
    return (
        Arm("original", f"cifar_resnet{depth}"),
        *(Arm(name, f"cifar_resnet{depth}{suffix}") for name, suffix, *_ in _ORDERS),
        Arm("full pre-activation", f"cifar_preact_resnet{depth}"),
    )


def _hurts(names: Iterable[str], measure: str = "train_error") -> dict[str, Rule]:
    worse = f"a higher {measure.replace('_', ' ')} than the identity"
    return {f"{name}: {worse}": greater(measure, name, "original", smallest=0.5) for name in names}


def _where(variant: str) -> dict[str, str]:
    """What tells the published rows of one kind of shortcut apart."""
    bias = variant.rpartition("b = ")[2]
    if "b = " in variant:
        return {"remark": f"init b_g = {bias}"}
    return {"on_f": "0.5"} if variant.startswith("scaling") else {}


_ORDER_RULES: dict[str, Rule] = {
    "BN after the addition is worse than the original": greater(
        "test_error", "BN after addition", "original", smallest=0.5
    ),
    "ReLU before the addition is worse than the original": greater(
        "test_error", "ReLU before addition", "original", smallest=0.5
    ),
    "ReLU-only pre-activation is like the original (within a point)": alike(
        "test_error", "ReLU-only pre-activation", "original", 1.0
    ),
    "full pre-activation is better than the original": greater(
        "test_error", "original", "full pre-activation", smallest=0.5
    ),
}


def _deeper_gains(short: int, deep: int) -> dict[str, Rule]:
    signs = {f"ResNet-{deep}": 1.0, f"pre-activation-{deep}": -1.0, f"ResNet-{short}": -1.0}
    statement = f"what pre-activation gains is more at {deep} layers than at {short}"
    return {statement: Contrast("test_error", {**signs, f"pre-activation-{short}": 1.0}, smallest=0.5)}


_DEPTHS = (110, 164, 1001)
_ERRORS = {"ResNet": (6.61, 5.93, 7.61), "pre-activation": (6.37, 5.46, 4.92)}  # Table 3
_TABLE3 = {
    f"{kind}-{depth}": error
    for kind, errors in _ERRORS.items()
    for depth, error in zip(_DEPTHS, errors, strict=True)
}

_EXPERIMENTS = (
    Experiment(
        id="he2016/preactivation",
        title="Pre-activation against the original units, shallow and deep",
        zh="预激活与原始单元：浅层与深层",
        claims=("X11",),
        where="He et al. 2016, sec. 4.1, Tables 3 and 4",
        settings=quick(
            nets("ResNet-20", "pre-activation-20", "ResNet-110", "pre-activation-110"),
            {
                "at 110 layers pre-activation errs less": greater(
                    "test_error", "ResNet-110", "pre-activation-110", smallest=0.5
                ),
                **_deeper_gains(20, 110),
            },
        )
        | as_published(
            nets(*_TABLE3),
            {**published_errors(_TABLE3, _TOLERANCE), **_deeper_gains(110, 1001)},
            # "warm-up ... is not necessary for our proposed Residual Unit"
            warm_up=[f"ResNet-{depth}" for depth in _DEPTHS],
        ),
        measures=("test_error", "train_error", "early_train_error"),
        published=tuple(
            PublishedRow(
                "he2016.t3", f"ResNet-{depth}", key, f"{kind}-{depth}", where={"dataset": "CIFAR-10"}
            )
            for depth in _DEPTHS
            for kind, key in (("ResNet", "original"), ("pre-activation", "preact"))
        ),
        caveats=(
            "Published: medians of five runs on CIFAR-10. The gains are 0.24, 0.47 and 2.69 points at 110, 164 and "
            "1001 layers; a popular text makes 0.24, 0.50 and 1.03 of them.",
        ),
    ),
    Experiment(
        id="he2016/1001",
        title="1001 layers: units and parameters",
        zh="1001 层：单元数与参数量",
        claims=("X11",),
        where="He et al. 2016, sec. 4.1, Table 4 and appendix",
        settings=exact(
            (
                Arm("pre-activation-1001", "cifar_preact_resnet1001", changes=CIFAR),
                Arm("pre-activation-164", "cifar_preact_resnet164", changes=CIFAR),
            ),
            {
                "ResNet-1001 has the 10.2 million parameters of Table 4, cut or rounded": Within(
                    "parameters", "pre-activation-1001", 10.15e6, 10.3e6
                ),
                "ResNet-164 has 1.7 million, cut or rounded": Within(
                    "parameters", "pre-activation-164", 1.65e6, 1.8e6
                ),
                "it has 333 units": exactly("units", "pre-activation-1001", 333),
            },
        ),
        look="cost",
        measures=("parameters", "units", "multiply_adds"),
        published=(
            PublishedRow(
                "he2016.t4", "ResNet-1001 (pre-act)", "params_m", where={"dataset": "CIFAR-10", "batch": 128}
            ),
            PublishedRow("he2016.t4", "ResNet-164 (pre-act)", "params_m", where={"dataset": "CIFAR-10"}),
        ),
        caveats=(
            "333 units are 111 a map size, not 333 in each of three stages. Shortcuts are of option A here; with the "
            "projections that the appendix describes ResNet-1001 has 10,327,706 parameters. Counts alone: what such "
            "depth does to a training is he2016/preactivation's question, at 110 layers at the quick scale.",
        ),
    ),
    Experiment(
        id="he2016/gradient-flow",
        title="Pre-activation eases the flow of gradients: fewer units shrink them",
        zh="预激活使梯度更易流动：使梯度缩小的单元更少",
        claims=("X11",),
        where="He et al. 2016, sec. 2 and 4.1",
        settings=quick(
            nets("ResNet-56", "pre-activation-56"),
            {
                "trained, 56 layers: units of the original shrink an image's gradient more often": greater(
                    "below_1", "ResNet-56", "pre-activation-56", smallest=2.0
                ),
                "and the smallest factor of a unit is smaller": greater(
                    "least", "pre-activation-56", "ResNet-56", smallest=0.05
                ),
                "the training error of the pre-activation net falls faster at first": greater(
                    "early_train_error", "ResNet-56", "pre-activation-56", smallest=1.0
                ),
            },
        ),
        look="transmitted",
        measures=("below_1", "least", "greatest", "early_train_error"),
        figure="series",
        observations=("gradient-1",),
        caveats=(
            "Norm of the gradient at a unit's input over that at its output, for each image, in units that keep the "
            "shape; evaluation mode, float64. 'below 1' is the share of units and images, in percent.",
        ),
    ),
    Experiment(
        id="he2016/orders",
        title="Table 2: five orders of batch norm, ReLU and addition",
        zh="表 2：批归一化、ReLU 与相加的五种顺序",
        claims=("X11",),
        where="He et al. 2016, sec. 4.1, Table 2 and Figure 4",
        settings=quick(_orders(32), _ORDER_RULES)
        | as_published(
            _orders(110),
            {**published_errors(_TABLE2, _TOLERANCE), **_ORDER_RULES},
            warm_up=[arm.name for arm in _orders(110)[:-1]],
        ),
        measures=("test_error", "train_error"),
        published=(
            PublishedRow("he2016.t2", "original Residual Unit", "resnet110", "original"),
            *(PublishedRow("he2016.t2", row, "resnet110", name) for name, _, row, _ in _ORDERS),
            PublishedRow("he2016.t2", "full pre-activation", "resnet110", "full pre-activation"),
        ),
        caveats=("Published: 110 layers, medians of five runs on CIFAR-10. At the quick scale: 32 layers.",),
    ),
    Experiment(
        id="he2016/shortcuts",
        title="Table 1: what is done to the shortcut hurts",
        zh="表 1：对捷径的改动都会带来损害",
        claims=("X11",),
        where="He et al. 2016, sec. 3, Table 1 and Figure 2",
        settings=quick(
            [arm for arm in _shortcuts(32) if arm.name not in _HARMLESS_BELOW_110],
            _hurts(name for name, *_ in _VARIANTS if name not in _HARMLESS_BELOW_110),
        )
        | as_published(
            _shortcuts(110),
            {
                **_hurts((name for name, *_ in _VARIANTS), "test_error"),
                **published_errors(_TABLE1, _TOLERANCE),
                **{
                    f"{name} fails": at_least("test_error", name, _FAIL)
                    for name, *_ in _VARIANTS
                    if name not in _TABLE1
                },
            },
            warm_up=[arm.name for arm in _shortcuts(110)],
        ),
        measures=("train_error", "test_error"),
        published=(
            PublishedRow("he2016.t1", "original", "err", "original"),
            *(
                PublishedRow("he2016.t1", row, "err", name, where=_where(name))
                for name, _, _, row, _ in _VARIANTS
                if name in _TABLE1
            ),
        ),
        observations=("lambda",),
        caveats=(
            "Published: 110 layers, medians of five runs. At the quick scale 32 layers are judged by the training "
            "error, for the paper's point is optimisation; a 1x1 convolution (which the paper calls no harm at 34 "
            "layers) and a gate that starts almost open are left to 110 layers.",
        ),
    ),
)

register(Paper(kind="he2016", year=2016, experiments=_EXPERIMENTS))

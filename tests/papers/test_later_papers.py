"""The theory and the papers after He et al.: worlds in which a claim holds and in which each of its rules must fail."""

from __future__ import annotations

from typing import Any

from residua.analysis.cost import cost
from residua.experiments.catalogue import find_experiments
from residua.experiments.experiment import Setting
from residua.experiments.rules import above, below, between
from residua.registry import build, model_spec

_PREACT, _R20, _R56 = "pre-activation ResNet-20", "ResNet-20", "ResNet-56"
_NETS = (_PREACT, _R20, _R56, "plain-20")
_EULER = ("Euler net (6 units)", _PREACT, _R56)
_RANDOM = "99 random units, |J| = 0.1"
_SCALED = tuple(f"WRN-148, alpha = {alpha}" for alpha in ("0", "1/sqrt(d)", "1"))
_MERGES = ("sum", "scaling 0.5 | 0.5", "exclusive gating", "ReZero", "LayerScale", "hyper-connections")
_SKIPPING = "ResNet-110, p_L = 0.5"


def _by_arm(**measures: dict[str, float]) -> dict[str, dict[str, float]]:
    """Worlds are written by measure here, for most rules compare arms."""
    world: dict[str, dict[str, float]] = {}
    for measure, values in measures.items():
        for arm, value in values.items():
            world.setdefault(arm, {})[measure] = value
    return world


def _alike(arms: tuple[str, ...], **measures: float) -> dict[str, dict[str, float]]:
    return {arm: dict(measures) for arm in arms}


def _growing(**log10_ratio: tuple[float, float, float]) -> dict[str, dict[str, float]]:
    """Gradients that have grown by so many powers of ten from the last of 9, 27 and 54 units to the first."""
    return {
        f"{kind}-{depth}": {"log10_ratio": ratio, "log10_gain": ratio / (units - 1)}
        for kind, ratios in log10_ratio.items()
        for depth, units, ratio in zip((20, 56, 110), (9, 27, 54), ratios, strict=True)
    }


WORLDS: dict[str, Any] = {
    "theory/unrolled": (
        _by_arm(relative_error={_PREACT: 1e-15, _R20: 0.8, _R56: 1.3}),
        _by_arm(relative_error={_PREACT: 1e-8, _R20: 1e-14, _R56: 0.05}),
    ),
    "theory/gradient-product": (
        _alike(_NETS, relative_error=1e-14, forward_error=1e-14, naive_error=1e-14),
        _alike(_NETS, relative_error=1e-3, forward_error=1e-3, naive_error=1e-3),
    ),
    "theory/naive-product": (
        _alike((_R20, _R56), naive_error=1e-14),
        _alike((_R20, _R56), naive_error=7.1),
    ),
    "theory/scalar-example": (
        _by_arm(product={"0.9": 0.9**99, "1.1": 1.1**99}, degree_ratio={"1.1": 1.0}),
        _by_arm(product={"0.9": 1e-3, "1.1": 1e3}, degree_ratio={"1.1": 2.0}),
    ),
    "theory/first-order": (
        _by_arm(
            first_order_error={"n e = 0.1": 0.0047, "n e = 1": 0.2606, "n e = 9.9": 0.9991},
            product={"n e = 1": 2.705},
            degree_ratio={"n e = 9.9": 2.0},
        ),
        _by_arm(
            first_order_error={"n e = 0.1": 0.2, "n e = 1": 0.01, "n e = 9.9": 0.0},
            product={"n e = 1": 10.9},
            degree_ratio={"n e = 9.9": 1.0},
        ),
    ),
    "theory/growth": (
        _growing(ResNet=(0.8, 1.35, 1.7), plain=(1.1, 3.4, 6.9)),
        _growing(ResNet=(0.5, 2.4, 5.0), plain=(1.1, 1.8, 2.1)),
    ),
    "theory/growth-without-norms": (
        _growing(ResNet=(0.5, 2.4, 5.0)) | {"ResNet-110, batch norm": {"log10_ratio": 1.7}},
        _growing(ResNet=(0.8, 1.35, 1.7)) | {"ResNet-110, batch norm": {"log10_ratio": 1.7}},
    ),
    "theory/at-least-one": (
        _by_arm(
            least={"F = -x": 1.0, "99 units, F = -0.1 x": 1.0, _RANDOM: 1.0},
            greatest={"spectral radius 0": 1.0, _RANDOM: 2.0},
        ),
        _by_arm(
            least={"F = -x": 0.0, "99 units, F = -0.1 x": 3e-5, _RANDOM: 0.5},
            greatest={"spectral radius 0": 10.1, _RANDOM: 2e4},
        ),
    ),
    "theory/small-weights": tuple(
        _by_arm(
            least={
                "9 units with ReLU, a hundredth of He's weights": small[0],
                "9 units with ReLU, He's weights": he[0],
            },
            greatest={
                "9 units with ReLU, a hundredth of He's weights": small[1],
                "9 units with ReLU, He's weights": he[1],
            },
        )
        for small, he in (((0.999, 1.001), (0.1, 90.0)), ((0.5, 5.0), (0.9, 1.2)))
    ),
    "theory/at-least-one-measured": (_alike(_NETS, least=1.2), _alike(_NETS, least=0.9)),
    "theory/singular-values": (_alike(_NETS, smallest=1.0), _alike(_NETS, smallest=0.7)),
    "vanishing/at-initialisation": (
        _by_arm(
            log10_ratio={"plain-56": -9.0, _R56: 0.1},
            log10_layer_1={"plain-56": -9.0, _R56: -3.0},
            log10_layer_50={"plain-56": -20.0},
        ),
        _by_arm(
            log10_ratio={"plain-56": 3.0, _R56: 1.4},
            log10_layer_1={"plain-56": 2.7, _R56: 0.7},
            log10_layer_50={"plain-56": -0.1},
        ),
    ),
    "vanishing/without-norms": tuple(
        _by_arm(
            log10_ratio=dict(
                zip(
                    (
                        *("plain-20, Xavier", "plain-56, Xavier", "plain-110, Xavier"),
                        *("plain-56, He", "ResNet-110, Xavier"),
                    ),
                    values,
                    strict=True,
                )
            )
        )
        for values in ((-4.0, -12.0, -24.0, -4.0, 0.4), (-0.5, -0.5, -0.5, -0.5, -5.0))
    ),
    "vanishing/in-training": (
        {"plain-56": {"log10_ratio": -5.0, "log10_layer_1": -9.0}},
        {"plain-56": {"log10_ratio": 0.2, "log10_layer_1": -1.5}},
    ),
    "vanishing/healthy": (
        _by_arm(
            log10_ratio={"plain-20": 0.5, "plain-56": 0.2}, train_error={"plain-20": 3.0, "plain-56": 60.0}
        ),
        _by_arm(
            log10_ratio={"plain-20": -4.0, "plain-56": 9.0}, train_error={"plain-20": 60.0, "plain-56": 3.0}
        ),
    ),
    "vanishing/healthy-at-initialisation": tuple(
        _by_arm(
            log10_ratio=dict(zip(("plain-20", "plain-56", "plain-110", "ResNet-110"), ratios, strict=True))
        )
        for ratios in ((1.1, 1.2, 1.3, 1.7), (-4.0, 3.4, 6.9, -9.0))
    ),
    "he2015init/plain": tuple(
        {
            "plain-20, He": {"layer_factor": he, "layer_factor_back": he},
            "plain-20, Xavier": {"layer_factor": xavier, "layer_factor_back": xavier},
        }
        for he, xavier in ((1.0, 0.5), (0.5, 1.0))
    ),
    "he2015init/narrow": tuple(
        _alike(
            ("plain-56, convolutions that wrap round", "plain-56, as it is: zero padding"),
            layer_factor=factor,
            layer_factor_back=factor,
        )
        for factor in (1.0, 0.64)
    ),
    "he2015init/residual": tuple(
        _alike(("pre-activation ResNet-20, He", "ResNet-20, He"), unit_factor=factor, unit_factor_back=factor)
        for factor in (2.0, 1.0)
    ),
    "huang2016/error": (
        _by_arm(test_error={"constant depth": 6.41, "stochastic depth": 5.25}),
        _by_arm(test_error={"constant depth": 5.25, "stochastic depth": 6.41}),
    ),
    "huang2016/time": (
        {_SKIPPING: {"work_saved": 25.5, "time_saved": 25.0}},
        {_SKIPPING: {"work_saved": 12, "time_saved": 10.0}},
    ),
    "veit2016/paths": (
        {"ResNet-110": {"log2_paths": 54.0, "majority": 98.0, "effective": 0.45}},
        {"ResNet-110": {"log2_paths": 108.0, "majority": 50.0, "effective": 5.0}},
    ),
    "veit2016/effective-paths": (
        {_R56: {"mean_length_by_gradient": 6.0, "share_of_paths": 0.01}},
        {_R56: {"mean_length_by_gradient": 15.0, "share_of_paths": 0.9}},
    ),
    "veit2016/lesions": (
        _by_arm(one_deleted={"plain-20": 60.0, _R20: 8.0, "VGG": 80.0, _R56: 1.0}, chance_gap={"VGG": 2.0}),
        _by_arm(one_deleted={"plain-20": 8.0, _R20: 60.0, "VGG": 8.0, _R56: 60.0}, chance_gap={"VGG": 80.0}),
    ),
    "veit2016/many-lesions": (
        {_R56: {"largest_step": 0.4, "order_correlation": -0.8}},
        {_R56: {"largest_step": 0.95, "order_correlation": 0.1}},
    ),
    "zagoruyko2016/wider": (
        _by_arm(test_error={"WRN-22-1": 2.0, "WRN-10-1.9": 1.0}),
        _by_arm(test_error={"WRN-22-1": 1.0, "WRN-10-1.9": 2.0}),
    ),
    "xie2016/cardinality": (
        _by_arm(test_error={"1 x 12d": 2.0, "4 x 4d": 1.0}),
        _by_arm(test_error={"1 x 12d": 1.0, "4 x 4d": 2.0}),
    ),
    "xie2016/shortcuts": (
        {
            "with": {"train_error": 1.0, "test_error": 2.0},
            "without": {"train_error": 20.0, "test_error": 20.0},
        },
        {
            "with": {"train_error": 20.0, "test_error": 20.0},
            "without": {"train_error": 1.0, "test_error": 2.0},
        },
    ),
    "huang2017/parameters": (
        _by_arm(test_error={_R20: 2.5, "DenseNet-BC-22": 1.0}),
        _by_arm(test_error={_R20: 1.0, "DenseNet-BC-22": 2.5}),
    ),
    "huang2017/sources": tuple(
        _alike(("DenseNet-BC-22, untrained",), cut_input=0.0, cut_last=0.0)
        | {"DenseNet-BC-22, trained": {"cut_input": cut, "cut_last": cut}}
        for cut in (60.0, 0.5)
    ),
    "huang2017/residual-reuse": (
        _by_arm(
            mean_ratio={_R56: 0.5},
            mean_cka={_R20: 0.9, "plain-20": 0.6},
            cka_first_last={_R20: 0.6, "plain-20": 0.2, _R56: 0.7},
        ),
        _by_arm(
            mean_ratio={_R56: 1.5},
            mean_cka={_R20: 0.6, "plain-20": 0.9},
            cka_first_last={_R20: 0.2, "plain-20": 0.6, _R56: 0.1},
        ),
    ),
    "chen2018/ode-net": tuple(
        _by_arm(
            test_error={"ODE-Net": error, "RK-Net": error, "ResNet (6 blocks)": 1.9},
            parameters={"ODE-Net": parameters},
        )
        for error, parameters in ((2.0, 36_458), (30.0, 128_554))
    ),
    "chen2018/refinement": tuple(
        _by_arm(
            observed_order=dict.fromkeys(_EULER, order),
            finest_agreement={_R56: same},
            unrefined_error={_R56: apart},
        )
        for order, same, apart in ((1.0, 0.99, 0.05), (0.3, 0.6, 0.9))
    ),
    "li2018/landscape": (
        _by_arm(nonconvexity={"plain-56": 0.6, _R56: 0.1, "plain-20": 0.1, _R20: 0.1}),
        _by_arm(nonconvexity={"plain-56": 0.1, _R56: 0.6, "plain-20": 0.1, _R20: 0.1}),
    ),
    "vaswani2017/residuals": (
        _by_arm(
            train_loss={"with residuals": 3.1, "without": 3.4},
            test_bits_per_byte={"with residuals": 4.1, "without": 4.5},
        ),
        _by_arm(
            train_loss={"with residuals": 3.4, "without": 3.1},
            test_bits_per_byte={"with residuals": 4.5, "without": 4.1},
        ),
    ),
    "de2020/skipinit": tuple(
        _by_arm(
            train_error=dict(zip((*_SCALED, "WRN-16, alpha = 0", "WRN-16, alpha = 1"), errors, strict=True))
        )
        for errors in ((9.0, 8.0, 75.0, 20.0, 7.0), (60.0, 60.0, 10.0, 10.0, 50.0))
    ),
    "de2020/identity": tuple(
        _by_arm(
            unit_factor=dict(
                zip(("WRN-40, batch norm", "WRN-148, batch norm", *_SCALED[1:]), factors, strict=True)
            )
        )
        for factors in ((1.35, 1.15, 1.02, 1.95), (1.6, 1.9, 1.95, 1.1))
    ),
    "xiong2020/warm-up": tuple(
        _by_arm(
            train_loss=dict(
                zip(
                    (
                        f"{norm}, {how} warm-up"
                        for norm in ("pre-norm", "post-norm")
                        for how in ("with", "without")
                    ),
                    losses,
                    strict=True,
                )
            )
        )
        for losses in ((2.4, 2.41, 2.5, 3.4), (2.4, 3.4, 2.5, 2.51))
    ),
    "merges/compared": tuple(
        _by_arm(train_error=dict(zip(_MERGES, errors, strict=True)))
        for errors in ((2.0, 8.0, 50.0, 2.1, 2.0, 1.9), (2.0, 1.0, 1.0, 8.0, 9.0, 10.0))
    ),
    "miyato2018/residuals": (
        _by_arm(test_frechet_distance={"with residuals": 16.0, "without": 22.0}),
        _by_arm(test_frechet_distance={"with residuals": 22.0, "without": 16.0}),
    ),
}


def _seeds(*values: float) -> dict[str, dict[int, dict[str, float]]]:
    return {"net": {seed: {"factor": value} for seed, value in enumerate(values)}}


def test_bounds_have_the_side_that_they_say() -> None:
    low, high = _seeds(0.50, 0.51, 0.49, 0.50, 0.52), _seeds(2.0, 2.1, 1.9, 2.05, 1.95)
    over, under = above("factor", "net", 1.0, smallest=0.1), below("factor", "net", 1.0, smallest=0.1)
    assert over.check(high).status == under.check(low).status == "direction reproduced"
    assert over.check(low).status == under.check(high).status == "not reproduced"


def test_an_interval_is_left_on_either_side() -> None:
    rule = between("factor", "net", 0.9, 1.1)
    assert rule.check(_seeds(1.0, 1.01, 0.99, 1.0, 1.02)).status == "reproduced"
    assert rule.check(_seeds(0.5, 0.51, 0.49, 0.5, 0.52)).status == "not reproduced"
    assert rule.check(_seeds(2.0, 2.01, 1.99, 2.0, 2.02)).status == "not reproduced"
    assert rule.check(_seeds(0.9, 1.1, 0.8, 1.2, 0.7, 1.3)).status == "undecided"
    assert rule.check(_seeds(1.0, 1.0)).status == "undecided"  # two seeds decide nothing


def test_compared_networks_cost_what_the_comments_say() -> None:
    def counts(name: str) -> dict[str, tuple[int, int]]:
        (experiment,) = find_experiments(name)
        setting = experiment.settings["quick"]
        assert isinstance(setting, Setting)
        found = {}
        for arm in setting.arms:
            spec = model_spec(arm.model, **{"num_classes": 10, "in_channels": 1, **arm.changes})
            counted = cost(build(spec), (1, 8, 8))
            found[arm.name] = (counted.parameters, counted.multiply_adds)
        return found

    wide = counts("zagoruyko2016/wider")
    assert wide == {"WRN-22-1": (271_994, 2_532_992), "WRN-10-1.9": (267_126, 2_448_816)}
    paths = counts("xie2016/cardinality")
    assert paths == {"1 x 12d": (98_074, 944_640), "4 x 4d": (91_066, 925_184)}
    dense = counts("huang2017/parameters")
    assert (dense["ResNet-20"][0], dense["DenseNet-BC-22"][0]) == (31_989, 32_318)
    merged = [work for _, work in counts("merges/compared").values()]
    assert max(merged) < 1.06 * min(merged)
    ode = counts("chen2018/ode-net")
    assert (ode["ResNet (6 blocks)"][0], ode["ODE-Net"][0]) == (128_554, 36_458)

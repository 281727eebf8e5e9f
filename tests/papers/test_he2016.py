from __future__ import annotations

from typing import Any

from residua.experiments.catalogue import experiments
from residua.experiments.experiment import Setting

_VARIANTS = (
    "scaling 0.5 | 1",
    "scaling 0.5 | 0.5",
    "exclusive gating, b = -6",
    "shortcut-only gating, b = 0",
    "dropout 0.5",
)


WORLDS: dict[str, tuple[Any, Any]] = {
    "he2016/preactivation": (
        {
            "ResNet-20": {"test_error": 8.0},
            "pre-activation-20": {"test_error": 8.0},
            "ResNet-110": {"test_error": 9.0},
            "pre-activation-110": {"test_error": 5.0},
        },
        {
            "ResNet-20": {"test_error": 8.0},
            "pre-activation-20": {"test_error": 5.0},
            "ResNet-110": {"test_error": 5.0},
            "pre-activation-110": {"test_error": 9.0},
        },
    ),
    "he2016/1001": (
        {
            "pre-activation-1001": {"parameters": 10_285_722, "units": 333},
            "pre-activation-164": {"parameters": 1_661_274},
        },
        {
            "pre-activation-1001": {"parameters": 19_421_274, "units": 999},
            "pre-activation-164": {"parameters": 2_500_000},
        },
    ),
    "he2016/gradient-flow": tuple(
        {
            "ResNet-56": {"below_1": one[0], "least": one[1], "early_train_error": one[2]},
            "pre-activation-56": {"below_1": other[0], "least": other[1], "early_train_error": other[2]},
        }
        for one, other in (((20.0, 0.5, 60.0), (1.0, 0.95, 45.0)), ((1.0, 0.95, 45.0), (20.0, 0.5, 60.0)))
    ),
    "he2016/orders": (
        {
            "original": {"test_error": 6.61},
            "BN after addition": {"test_error": 8.17},
            "ReLU before addition": {"test_error": 7.84},
            "ReLU-only pre-activation": {"test_error": 6.71},
            "full pre-activation": {"test_error": 5.0},
        },
        {
            "original": {"test_error": 6.61},
            "BN after addition": {"test_error": 4.0},
            "ReLU before addition": {"test_error": 4.0},
            "ReLU-only pre-activation": {"test_error": 12.0},
            "full pre-activation": {"test_error": 9.0},
        },
    ),
    "he2016/shortcuts": (
        {"original": {"train_error": 2.0}} | {name: {"train_error": 9.0} for name in _VARIANTS},
        {"original": {"train_error": 9.0}} | {name: {"train_error": 2.0} for name in _VARIANTS},
    ),
}


def test_the_proposed_unit_needs_no_warm_up() -> None:
    for name in ("he2016/preactivation", "he2016/orders"):
        setting = experiments()[name].setting("paper")
        assert isinstance(setting, Setting)
        for arm in setting.arms:
            assert bool(arm.recipe) != ("preact_resnet" in arm.model), arm.name


def test_every_variant_of_table_1_is_another_network() -> None:
    from residua.registry import model_spec

    setting = experiments()["he2016/shortcuts"].setting("paper")
    assert isinstance(setting, Setting)
    specs = [model_spec(arm.model, **arm.changes).change(name="") for arm in setting.arms]
    assert len({repr(spec) for spec in specs}) == len(specs) == 8

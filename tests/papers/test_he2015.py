from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from residua.experiments.catalogue import experiments
from residua.experiments.cell import make_cell
from residua.experiments.experiment import Setting
from residua.looks.probabilities import packed

_NO_SHORTCUTS = {"train_error": 90.0, "test_error": 90.0, "early_train_error": 90.0, "mean_std": 2.0}
_SHORT_PLAIN = {"train_error": 5.0, "test_error": 6.0, "early_train_error": 50.0, "mean_std": 1.5}
_RESNET = {"train_error": 2.0, "test_error": 3.0, "early_train_error": 20.0, "mean_std": 0.5}
_DEEP_RESNET = {"train_error": 1.0, "test_error": 2.0, "early_train_error": 25.0, "mean_std": 0.2}


def _guesses(members: int, *, loud: bool) -> dict[str, dict[int, dict[str, Any]]]:
    """Networks that err on different images; ``loud``: always two at once, who are certain where the others are shy."""
    world: dict[str, dict[int, dict[str, Any]]] = {}
    for index, depth in enumerate((8, 14, 20, 26, 32, 38)[:members]):
        shares = np.tile([0.55, 0.45] if loud else [0.9, 0.1], (360, 1))
        if loud:
            shares[index // 2 :: 3] = [0.0, 1.0]
        else:
            shares[index::20] = [0.4, 0.6]
        values = {seed: shares[seed:] for seed in range(6)}
        world[f"ResNet-{depth}"] = {s: {"classes": 2, "probabilities": packed(v)} for s, v in values.items()}
    return world


def _counts(**changes: float) -> dict[str, dict[str, float]]:
    return {
        name.replace("_", "-"): {"parameters": value, "multiply_adds": value}
        for name, value in changes.items()
    }


_COST = {
    "ResNet-18": (1.814, 5.1e5),
    "ResNet-34": (3.664, 5.1e5),
    "ResNet-50": (3.858, 2.0e6),
    "ResNet-101": (7.570, 2.0e6),
    "ResNet-152": (11.282, 2.0e6),
    "plain-34": (3.644, 5.1e5),
    "VGG-16": (15.47, 123.64e6),
    "VGG-19": (19.63, 123.64e6),
}
_WRONG_COST = {
    **dict.fromkeys(_COST, (99.0, 9.0e6)),
    "ResNet-34": (100.0, 5.1e5),
    "VGG-16": (50.0, 50e6),
    "VGG-19": (50.0, 50e6),
}
_DEPTHS = (20, 32, 44, 56, 110, 18, 34)
_POPULAR = {"ResNet-20": 8.75, "ResNet-56": 8.50, "ResNet-110": 7.61, "plain-20": None, "plain-56": None}

_DEGRADED, _IMPROVED = (
    {
        f"{kind}-{depth}": {"train_error": error, "test_error": error + 1}
        for kind, errors in (("plain", plain), ("ResNet", residual))
        for depth, error in zip((20, 32, 44, 56), errors, strict=True)
    }
    for plain, residual in (
        ((5.0, 12.0, 30.0, 60.0), (4.0, 3.0, 2.5, 2.0)),
        ((60.0, 30.0, 12.0, 5.0), (75.0, 76.0, 77.0, 90.0)),
    )
)

WORLDS: dict[str, tuple[Any, Any]] = {
    "he2015/degradation": (_DEGRADED, _IMPROVED),
    "he2015/degradation-curves": (_DEGRADED, _IMPROVED),
    "he2015/imagenet-plain": tuple(
        {
            f"{kind}-{depth}": {"train_error": error, "test_error": error}
            for (kind, depth), error in zip(
                (("plain", 18), ("plain", 34), ("ResNet", 18), ("ResNet", 34)), errors, strict=True
            )
        }
        for errors in ((8.0, 20.0, 7.0, 5.0), (20.0, 8.0, 7.0, 15.0))
    ),
    "he2015/very-deep": tuple(
        {"ResNet-8": {"train_error": 1.0, "gap": 1.0}, "ResNet-86": {"train_error": error, "gap": gap}}
        for error, gap in ((1.2, 3.0), (20.0, -2.0))
    ),
    "he2015/longer": (
        {
            "plain-20, 3 x": {"train_error": 2.0},
            "plain-56, 3 x": {"train_error": 30.0},
            "ResNet-56": {"train_error": 1.0},
        },
        {
            "plain-20, 3 x": {"train_error": 20.0},
            "plain-56, 3 x": {"train_error": 1.0},
            "ResNet-56": {"train_error": 5.0},
        },
    ),
    "he2015/shortcuts": (
        {
            "plain-20": {"test_error": 8.0},
            "option A": {"test_error": 4.6},
            "option B": {"test_error": 4.3},
            "option C": {"test_error": 4.0},
        },
        {
            "plain-20": {"test_error": 1.0},
            "option A": {"test_error": 2.0},
            "option B": {"test_error": 3.0},
            "option C": {"test_error": 4.0},
        },
    ),
    "he2015/depth": (
        {f"ResNet-{depth}": {"test_error": error} for depth, error in ((20, 8.75), (56, 6.97), (110, 6.43))},
        {f"ResNet-{depth}": {"test_error": error} for depth, error in ((20, 5.0), (56, 6.97), (110, 8.75))},
    ),
    "he2015/responses": (
        {
            "plain-20": _SHORT_PLAIN,
            "plain-56": _NO_SHORTCUTS,
            "ResNet-20": _RESNET,
            "ResNet-56": _DEEP_RESNET,
        },
        {
            "plain-20": _DEEP_RESNET,
            "plain-56": _RESNET,
            "ResNet-20": _SHORT_PLAIN,
            "ResNet-56": _NO_SHORTCUTS,
        },
    ),
    "he2015/convergence": (
        {
            "plain-20": _SHORT_PLAIN,
            "plain-56": _NO_SHORTCUTS,
            "ResNet-20": _RESNET,
            "ResNet-56": _DEEP_RESNET,
        },
        {
            "plain-20": _RESNET,
            "plain-56": _DEEP_RESNET,
            "ResNet-20": _SHORT_PLAIN,
            "ResNet-56": _NO_SHORTCUTS,
        },
    ),
    "he2015/references": (
        {
            "ResNet-20": {"test_error": 1.0},
            "VGG, small": {"test_error": 4.0},
            "GoogLeNet, small": {"test_error": 3.0},
        },
        {
            "ResNet-20": {"test_error": 5.0},
            "VGG, small": {"test_error": 1.0},
            "GoogLeNet, small": {"test_error": 1.0},
        },
    ),
    "he2015/ensemble": (_guesses(6, loud=False), _guesses(6, loud=True)),
    "he2015/one-layer": (
        {
            "plain-56": {"train_error": 40.0},
            "one layer": {"train_error": 41.0},
            "ResNet-56": {"train_error": 2.0},
        },
        {
            "plain-56": {"train_error": 60.0},
            "one layer": {"train_error": 3.0},
            "ResNet-56": {"train_error": 5.0},
        },
    ),
    "he2015/identity": tuple(
        {name: {"largest_change": change} for name in ("ResNet-20", "ResNet-56")} for change in (0.0, 1e-6)
    ),
    "he2015/zero-branch": (
        {
            "original unit": {"changed": 0.9, "relu_error": 0.0, "changed_positive": 0.0},
            "pre-activation unit": {"changed": 0.0},
        },
        {
            "original unit": {"changed": 0.0, "relu_error": 0.9, "changed_positive": 0.2},
            "pre-activation unit": {"changed": 0.9},
        },
    ),
    "he2015/linear-layer": tuple(
        {
            "one linear layer a unit": {"matrix_error": matrix, "nonlinearity": matrix},
            "two layers and a ReLU a unit": {"nonlinearity": apart},
        }
        for matrix, apart in ((1e-15, 0.4), (0.2, 1e-15))
    ),
    "he2015/constructed": tuple(
        {"plain-20": {"largest_change": change, "cost_of_depth": cost}}
        for change, cost in ((1e-14, 0.1), (0.3, 12.0))
    ),
    "he2015/fits-identity": tuple(
        {
            name: {"identity_error": error}
            for name, error in zip(("plain-20", "plain-56", "ResNet-20", "ResNet-56"), errors, strict=True)
        }
        for errors in ((0.3, 0.7, 0.1, 0.1), (0.3, 0.2, 0.5, 0.5))
    ),
    "he2015/shortcut-cost": (
        {
            "ResNet-34 A": {"projection_parameters": 0},
            "ResNet-34 B": {"parameters": 21_797_672},
            "ResNet-34 C": {"parameters": 22_716_840},
            "ResNet-50 B": {"parameters": 25_557_032},
            "ResNet-50 C": {"parameters": 40_128_552},
        },
        {
            "ResNet-34 A": {"projection_parameters": 64},
            "ResNet-34 B": {"parameters": 21_797_672},
            "ResNet-34 C": {"parameters": 22_916_840},
            "ResNet-50 B": {"parameters": 25_557_032},
            "ResNet-50 C": {"parameters": 40_328_552},
        },
    ),
    "he2015/same-cost": (
        _counts(**{f"{kind}_{d}": 100 + d for d in _DEPTHS for kind in ("plain", "ResNet")}),
        _counts(
            **{f"{kind}_{d}": 100 + d + (kind == "plain") for d in _DEPTHS for kind in ("plain", "ResNet")}
        ),
    ),
    "he2015/table1": tuple(
        {name: {"gigaflops": cost, "head_parameters": head} for name, (cost, head) in table.items()}
        for table in (_COST, _WRONG_COST)
    ),
    "he2015/bottleneck": (
        {
            "bottleneck, 256-d": {"weights": 69_632},
            "two 3x3, 256-d": {"weights": 1_179_648},
            "two 3x3, 64-d": {"weights": 73_728},
        },
        {
            "bottleneck, 256-d": {"weights": 69_760},  # with the scales of its norms
            "two 3x3, 256-d": {"weights": 589_824},
            "two 3x3, 64-d": {"weights": 36_864},
        },
    ),
    "he2015/1202": (
        {"ResNet-1202": {"parameters": 19_421_274, "held_gb_recomputing": 3.0}},
        {"ResNet-1202": {"parameters": 10_285_722, "held_gb_recomputing": 12.0}},
    ),
    "he2015/pointwise": tuple(
        {"ResNet-50": {"pointwise_share": deep}, "ResNet-34": {"pointwise_share": basic}}
        for deep, basic in ((49.0, 0.5), (5.0, 30.0))
    ),
    "he2015/bottleneck-time": tuple(
        {"against two 3x3, 256-d": {"time_ratio": wide}, "against two 3x3, 64-d": {"time_ratio": narrow}}
        for wide, narrow in ((0.2, 1.0), (0.9, 2.5))
    ),
    "he2015/popular-table": (
        {name: {"printed": 1, "value": value or 9.0} for name, value in _POPULAR.items()},
        {name: {"printed": 0, "value": 5.0} for name in _POPULAR},
    ),
    "he2015/single-357": (
        {"ResNet-152, single": {"value": 3.57}},
        {"ResNet-152, single": {"value": 4.49}},
    ),
    "he2015/detection": (
        {
            "residual backbone": {"test_average_precision": 0.6},
            "plain backbone": {"test_average_precision": 0.2},
        },
        {
            "residual backbone": {"test_average_precision": 0.2},
            "plain backbone": {"test_average_precision": 0.6},
        },
    ),
    "he2015/segmentation": (
        {"residual backbone": {"test_mean_iou": 0.7}, "plain backbone": {"test_mean_iou": 0.3}},
        {"residual backbone": {"test_mean_iou": 0.3}, "plain backbone": {"test_mean_iou": 0.7}},
    ),
}


def _cells(name: str, tmp_path: Path) -> dict[str, Path]:
    setting = experiments()[name].setting("quick")
    assert isinstance(setting, Setting)
    return {
        arm.name: make_cell(setting, arm, 0, root=tmp_path, source="digits").folder for arm in setting.arms
    }


def test_experiments_share_their_trainings(tmp_path: Path) -> None:
    """What several experiments need is trained once: the quick scale would take hours otherwise."""
    trained = _cells("he2015/convergence", tmp_path)
    for other in ("he2015/identity", "veit2016/lesions", "huang2017/residual-reuse", "vanishing/healthy"):
        shared = _cells(other, tmp_path)
        assert shared.keys() & trained.keys()
        for arm in shared.keys() & trained.keys():
            assert shared[arm] == trained[arm], f"{other}, {arm}"
    shortcuts = _cells("he2015/shortcuts", tmp_path)
    assert shortcuts["option A"] == trained["ResNet-20"]
    assert len(set(shortcuts.values())) == 4


def test_three_times_the_iterations_are_three_times_as_many() -> None:
    item = experiments()["he2015/longer"]
    small, paper = item.setting("small"), item.setting("paper")
    assert isinstance(small, Setting) and isinstance(paper, Setting)
    longer = {"epochs": 3 * small.changes["epochs"]}
    assert [arm.recipe for arm in small.arms] == [longer, longer, {}]
    assert [arm.recipe for arm in paper.arms] == [{"iterations": 192_000}, {"iterations": 192_000}, {}]


def test_one_layer_units_keep_depth_and_parameters() -> None:
    pytest.importorskip("torch")
    from residua.analysis.cost import cost
    from residua.registry import model_spec

    one = model_spec("cifar_resnet56", unit="one_layer", depths=[18, 18, 18])
    plain = cost(model_spec("cifar_plain56"), (3, 32, 32))
    assert one.depth == 56  # pyright: ignore[reportAttributeAccessIssue]
    counted = cost(one, (3, 32, 32))
    assert (counted.parameters, counted.multiply_adds) == (plain.parameters, plain.multiply_adds)


def test_only_the_deep_nets_of_the_paper_warm_up() -> None:
    setting = experiments()["he2015/depth"].setting("paper")
    assert isinstance(setting, Setting)
    assert [arm.name for arm in setting.arms if arm.recipe] == ["ResNet-110", "ResNet-1202"]

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.errors import UsageError
from residua.spec import Recipe
from residua.train.recipes import RECIPES, recipe


def test_paper_drops_at_32k_and_48k_of_64k():
    he = recipe("he2015-cifar")
    rates = [
        he.lr * he.lr_factor(step / he.iterations) for step in (0, 31_999, 32_000, 47_999, 48_000, 63_999)
    ]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_depth_110_warms_up_for_400_iterations_at_a_tenth():
    he = recipe("he2015-cifar-110")
    rates = [he.lr * he.lr_factor(step / he.iterations) for step in (0, 399, 400, 32_000)]
    assert rates == pytest.approx([0.01, 0.01, 0.1, 0.01])


def test_imagenet_drops_at_epochs_30_and_60():
    he = recipe("he2015-imagenet")
    rates = [he.lr * he.lr_factor(epoch / 90) for epoch in (0, 29.9, 30, 59.9, 60, 89)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


@pytest.mark.parametrize(("schedule", "middle"), [("cosine", 0.5), ("linear", 0.5), ("constant", 1.0)])
def test_shapes(schedule, middle):
    r = Recipe(schedule=schedule)
    assert r.lr_factor(0.0) == 1
    assert r.lr_factor(0.5) == pytest.approx(middle)
    assert r.lr_factor(1.0) == pytest.approx(1.0 if schedule == "constant" else 0.0)


@given(
    progress=st.floats(0, 1),
    warmup=st.floats(0, 1),
    schedule=st.sampled_from(["constant", "step(milestones=[0.3, 0.9])", "cosine", "linear"]),
    shape=st.sampled_from(["linear", "constant"]),
)
def test_factor_stays_within_zero_and_one(progress, warmup, schedule, shape):
    r = Recipe(schedule=schedule, warmup=warmup, warmup_shape=shape, warmup_factor=0.1)
    factor = r.lr_factor(progress)
    assert math.isfinite(factor)
    assert -1e-12 <= factor <= 1 + 1e-12


def test_changing_epochs_of_a_recipe_that_counts_iterations_makes_it_count_epochs():
    assert recipe("he2015-cifar", epochs=3).iterations is None
    assert recipe("he2015-cifar").iterations == 64_000


def test_names_of_the_table_are_those_of_its_rows():
    assert all(name == row.name for name, row in RECIPES.items())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"epochs": 0}, "epochs must be above 0"),
        ({"lr": -1.0}, "lr must be above 0"),
        ({"lr": float("nan")}, "finite"),
        ({"schedule": "step", "milestones": [0.9, 0.1]}, "rise"),
        ({"milestones": [0.1]}, "schedule 'linear' has no key 'milestones'"),
        ({"epohcs": 3}, "did you mean 'epochs'"),
        ({"batch_size": "many"}, "whole number"),
        ({"batch_size": True}, "whole number"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin'; did you mean 'cosine'"),
    ],
)
def test_bad_values_are_refused_with_the_place(changes, says):
    with pytest.raises(UsageError, match=says):
        recipe("quick", **changes)


def test_unknown_recipe_names_the_nearest():
    with pytest.raises(UsageError, match="he2015-cifar"):
        recipe("he2015-cifr")

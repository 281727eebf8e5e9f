"""The largest batch that fits: a line through small steps, and a step that shows it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from residua.errors import UsageError
from residua.spec import Recipe
from residua.train import batch_size as sizes
from residua.train import fit
from residua.train.batch_size import largest, with_batch


class Machine:
    """Steps that take so many bytes, and those a sample; ``noise`` of a step is a share of it."""

    def __init__(self, fixed, a_sample, noise=0.0):
        self.fixed, self.a_sample, self.noise, self.taken = fixed, a_sample, noise, []

    def __call__(self, size):
        self.taken.append(size)
        return (self.fixed + self.a_sample * size) * (1 + self.noise * (-1) ** len(self.taken))


def test_two_small_steps_and_one_that_shows_it():
    steps = Machine(5e8, 4e6)
    size, used = largest(steps, least=2, most=4096, limit=8e9)
    assert (size, used) == (1024, 5e8 + 4e6 * 1024)
    assert steps.taken == [16, 32, 1024]


def test_a_step_whose_growth_is_not_seen_is_doubled_until_it_is_or_the_end():
    steps = Machine(5e8, 1e5)
    assert largest(steps, least=2, most=4096, limit=6e8)[0] == 512
    assert steps.taken == [16, 32, 64, 128, 256, 512, 1024]
    small = Machine(5e8, 0.0)
    assert largest(small, least=2, most=64, limit=6e8)[0] == 64


def test_a_first_step_that_does_not_fit_is_halved():
    assert largest(Machine(0, 1e8), least=2, most=4096, limit=5e8)[0] == 4
    with pytest.raises(UsageError, match="--memory low takes less"):
        largest(Machine(0, 1e9), least=2, most=4096, limit=1e9)
    with pytest.raises(UsageError, match="more memory than there is"):
        largest(lambda size: math.inf, least=2, most=4096, limit=1e9)


@settings(max_examples=200, deadline=None)
@given(
    st.floats(0, 1e10),
    st.floats(0, 1e9),
    st.floats(0, 0.2),
    st.integers(1, 12),
    st.floats(1e6, 1e11),
)
def test_what_is_found_was_measured_and_fits(fixed, a_sample, noise, most, limit):
    steps = Machine(fixed, a_sample, noise)
    try:
        size, used = largest(steps, least=2, most=2**most, limit=limit)
    except UsageError:
        assert steps.taken[-1] == 2 or most == 1
        return
    assert used <= limit
    assert size in steps.taken
    assert 2 <= size <= 2**most
    assert math.log2(size).is_integer()
    if not noise and 2 * size <= 2**most:
        assert fixed + a_sample * 2 * size > limit * (1 - 1e-6)


def test_the_rate_goes_with_the_batch_where_it_is_sgds_and_not_said():
    recipe = Recipe(batch_size=128, lr=0.1)
    assert with_batch(recipe, 512, {}).lr == pytest.approx(0.4)
    assert with_batch(recipe, 512, {"lr": 0.1}).lr == 0.1
    assert with_batch(Recipe(optimizer="adamw", lr=1e-3), 512, {}).lr == 1e-3


def test_a_training_finds_its_batch_says_why_and_goes_on_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "_peak", lambda network, recipe, data, plan: 1e9 + 4e7 * recipe.batch_size)
    monkeypatch.setattr(sizes, "held", lambda device: 1e9)
    monkeypatch.setattr(sizes, "_free", lambda device: 2e9)
    how = {"run_dir": tmp_path / "run", "limit_batches": 1, "progress": False, "threads": 1}
    changes = {"batch_size": "auto", "epochs": 1}
    run = fit("cifar_resnet8", recipe_changes=changes, **how)
    assert run.recipe.batch_size == 32  # 40 would take 1.6 of 1.6 GB
    told = [reason for reason in run.plan.reasons if reason.startswith("batch size 32:")]
    assert len(told) == 1
    assert "1.28 of 1.60 GB" in told[0]
    assert "in proportion" in told[0]
    monkeypatch.setattr(sizes, "_peak", None)
    assert fit("cifar_resnet8", recipe_changes=changes, resume_if_exists=True, **how).result == run.result


def test_the_step_itself_is_measured_and_the_network_stays_as_it_was(tmp_path):
    """The digits are few: the batch ends with them, at eight steps an epoch."""
    torch.manual_seed(0)
    how = {"limit_batches": 1, "progress": False, "threads": 1}
    auto = fit(
        "cifar_resnet8", run_dir=tmp_path / "auto", recipe_changes={"batch_size": "auto", "epochs": 1}, **how
    )
    assert auto.recipe.batch_size == 128
    assert any("fewer than 8 steps" in reason for reason in auto.plan.reasons)
    same = {"batch_size": 128, "lr": auto.recipe.lr, "epochs": 1}
    said = fit("cifar_resnet8", run_dir=tmp_path / "said", recipe_changes=same, **how)
    assert said.weights.read_bytes() == auto.weights.read_bytes()

import json

import pytest
import torch
from torch import nn

from residua.analysis.unrolled import unroll
from residua.looks import look
from residua.nn import ConstantScaling, Residual
from residua.registry import build, model_spec


def case(name, **changes):
    torch.manual_seed(0)
    model = build(model_spec(name, **{"widths": [4, 6, 8], "depths": [3, 3, 2], **changes})).eval()
    return model, torch.randn(5, 3, 8, 8), torch.arange(5)


def test_the_sum_is_exact_under_full_preactivation():
    found = unroll(*case("cifar_preact_resnet20"))
    kept = [u for u in found if u.unrolled is not None]
    assert [u.stretch for u in found] == [1, 1, 1, 0, 2, 2, 0, 3]
    assert len(kept) == 6
    assert all(u.unrolled < 1e-12 and u.error < 1e-12 and not u.spoilt_by for u in kept)


def test_a_constant_dropped_branch_counts_as_it_is_scaled():
    model, images, labels = case("cifar_preact_resnet20", drop_path=0.5, drop_path_mode="batch")
    assert max(u.unrolled or 0 for u in unroll(model, images, labels)) < 1e-12


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("cifar_resnet20", {}, "ReLU after the merge"),
        ("cifar_preact_resnet20", {"shortcut": "C"}, "Projection on the shortcut"),
        ("cifar_plain20", {"order": "full_preact"}, "there is no shortcut"),
        ("cifar_resnet20_bn_after_addition", {}, "BatchNorm2d, ReLU after the merge"),
        ("cifar_preact_resnet20", {"merge": "constant_scaling"}, "ConstantScaling instead of the sum"),
    ],
)
def test_elsewhere_it_fails_and_says_why(name, changes, reason):
    model, images, labels = case(name, **changes)
    found = [u for u in unroll(model, images, labels) if u.unrolled is not None]
    assert all(u.unrolled > 0.01 for u in found)
    assert {u.spoilt_by for u in found} == {reason}
    assert reason in look("unroll", model, images, labels).sentence


@torch.no_grad()
def test_the_size_of_the_failure():
    """One unit by hand: a scaled sum misses half of the shortcut; F counts as the merge scales it."""
    branch = nn.Linear(3, 3)
    model, x = nn.Sequential(Residual(branch, merge=ConstantScaling(0.5, 0.25))), torch.randn(1, 3)
    (found,) = unroll(model, x, torch.tensor([0]))
    y = x / 2 + branch(x) / 4
    assert found.error == pytest.approx(float((x / 2).norm() / y.norm()), rel=1e-5)


def test_a_unit_that_is_no_sum_at_all_is_caught_without_a_known_reason():
    class Shifted(Residual):
        def _unit(self, x, **context):
            return super()._unit(x, **context) + 1

    found = look("unroll", nn.Sequential(Shifted(nn.Linear(3, 3))), torch.randn(2, 3), torch.tensor([0, 1]))
    assert found.values["relative_error"] > 0.1
    assert "look at the modules" in found.sentence


def test_without_units_that_keep_the_shape_there_is_nothing_to_add():
    found = look("unroll", *case("cifar_resnet8", depths=[1, 1, 1], widths=[4, 6, 8], stem_width=2))
    assert found.values["relative_error"] is None
    assert found.sentence.startswith("None of the 3 units")
    assert json.loads(json.dumps(found.to_dict()))["relative_error"] is None


def test_the_finding_has_the_figures():
    found = look("unroll", *case("cifar_preact_resnet20"))
    assert found.values["relative_error"] < 1e-12
    assert (found.values["units"], found.values["spoilt"], found.values["stretches"]) == (8, 0, 3)
    assert "6 of 8 units keep the shape" in found.sentence

import copy
import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residua.analysis.path_gradients import (
    PathGradient,
    gradient_by_length,
    path_gradients,
    shares,
    shortest_interval,
)
from residua.errors import UsageError
from residua.looks import look
from residua.nn import ExclusiveGating, Merge, Residual, residual_units
from residua.registry import build, model_spec


def _case(name="cifar_resnet20", **changes):
    torch.manual_seed(0)
    widths = {} if "densenet" in name or "vit" in name else {"widths": [4, 6, 8]}
    model = build(model_spec(name, in_channels=1, **{**widths, **changes})).double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean)
    return model, torch.randn(5, 1, 8, 8, dtype=torch.float64), torch.arange(5)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("cifar_resnet20", {}),
        ("cifar_preact_resnet20", {"shortcut": "B"}),
        ("cifar_resnet20_exclusive_gating", {"gate_bias": 0.0}),
        ("cifar_plain20", {}),
        ("cifar_resnet20", {"drop_path": 0.5, "drop_path_mode": "batch"}),
        ("densenet_tiny", {}),
        ("vit_digits", {}),
    ],
)
def test_all_lengths_together_are_autograds_gradient(name, changes):
    model, images, labels = _case(name, **changes)
    found = gradient_by_length(model, images, labels)
    model.eval()
    images.requires_grad_()
    (expected,) = torch.autograd.grad(F.cross_entropy(model(images), labels, reduction="sum"), [images])
    assert float((found.sum(0) - expected).norm() / expected.norm()) < 1e-12
    lengths = [k for k, part in enumerate(found) if bool(part.any())]
    # the class token meets the patches in a branch alone: no gradient comes through no branch
    first = {"cifar_plain20": 9, "vit_digits": 1}.get(name, 0)
    assert lengths == list(range(first, len(residual_units(model)) + 1))


class _Chosen(Merge):
    """A merge that lets the gradient through one side alone; the values are the merge's own."""

    def __init__(self, merge, takes):
        super().__init__()
        self.merge, self.takes = merge, takes

    def without_branch(self, x, shortcut):
        return self.merge.without_branch(x, shortcut)

    def forward(self, x, shortcut, branch):
        return self.merge(
            *((x, shortcut.detach(), branch) if self.takes else (x.detach(), shortcut, branch.detach()))
        )


def _enumerated(model, images, labels):
    """The gradient through every single path of a chain of units, by length."""
    units = list(residual_units(model).values())
    merges = [unit.merge for unit in units]
    found = [[] for _ in range(len(units) + 1)]
    x = images.clone().requires_grad_()
    for takes in itertools.product((False, True), repeat=len(units)):
        for unit, merge, taken in zip(units, merges, takes, strict=True):
            unit.merge = _Chosen(merge, taken)
        loss = F.cross_entropy(model(x), labels, reduction="sum")
        found[sum(takes)].append(torch.autograd.grad(loss, [x])[0])
    for unit, merge in zip(units, merges, strict=True):
        unit.merge = merge
    return found


@pytest.mark.parametrize("name", ["cifar_resnet8", "cifar_resnet8_exclusive_gating"])
def test_each_length_is_the_sum_of_its_paths_one_by_one(name):
    model, images, labels = _case(name)
    model.eval()
    expected = _enumerated(model, images, labels)
    found = gradient_by_length(model, images, labels)
    assert [len(paths) for paths in expected] == [1, 3, 3, 1]
    for ours, paths in zip(found, expected, strict=True):
        assert torch.allclose(ours, torch.stack(paths).sum(0), rtol=1e-9, atol=1e-15)
    # drawn ones: where there is one path of a length it is that one, else a mean over them
    drawn = path_gradients(model, images, labels, draws=200)
    for one, paths in zip(drawn, expected, strict=True):
        mean = float(torch.stack(paths).flatten(2).norm(dim=2).mean())
        assert one.count == len(paths)
        assert one.norm == pytest.approx(mean, rel=1e-9 if len(paths) == 1 else 0.2)
        assert one.together == pytest.approx(float(sum(paths).flatten(1).norm(dim=1).mean()), rel=1e-9)
        assert one.together <= one.count * mean * (1 + 1e-9)


def test_nested_units_and_gates_of_ones_own():
    torch.manual_seed(0)
    inner = nn.Sequential(Residual(nn.Linear(3, 3)), nn.Tanh(), Residual(nn.Linear(3, 3), nn.Linear(3, 3)))
    gated = Residual(nn.Linear(3, 3), merge=ExclusiveGating(nn.Sequential(nn.Linear(3, 3), nn.Sigmoid())))
    model = nn.Sequential(nn.Linear(3, 3), Residual(inner), gated).double()
    images, labels = torch.randn(4, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 0])
    found = gradient_by_length(model, images, labels)
    assert len(found) == 5  # (1 + z (1 + z)^2) (1 + z)
    x = images.clone().requires_grad_()
    (expected,) = torch.autograd.grad(F.cross_entropy(model(x), labels, reduction="sum"), [x])
    assert torch.allclose(found.sum(0), expected, rtol=1e-12)


def test_gradients_follow_a_chain_of_numbers():
    class Scale(nn.Module):
        def __init__(self, by):
            super().__init__()
            self.by = by

        def forward(self, x):
            return x * self.by

    scales = (0.5, 0.25, 0.125)
    model = nn.Sequential(*(Residual(Scale(by)) for by in scales))
    images, labels = torch.randn(2, 3, dtype=torch.float64), torch.tensor([0, 2])
    x = images.clone().requires_grad_()
    loss = F.cross_entropy(model(x), labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, [x])
    top = gradient / math.prod(1 + by for by in scales)
    found = gradient_by_length(model, images, labels)
    for k in range(4):
        expected = sum(math.prod(chosen) for chosen in itertools.combinations(scales, k))
        assert torch.allclose(found[k], top * expected)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_afterwards_as_before(training):
    model, images, labels = _case("cifar_resnet8")
    model.train(training)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    before = copy.deepcopy(model.state_dict())
    first = path_gradients(model, images, labels, draws=3, seed=1)
    assert all(module.training is training for module in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(bool((p.grad == 0.5).all()) for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert not images.requires_grad
    model.requires_grad_(False)
    with torch.no_grad():
        assert path_gradients(model, images, labels, draws=3, seed=1) == first
    assert path_gradients(model, images, labels, draws=3, seed=2) != first


def _lengths(*counts_and_norms):
    return [
        PathGradient(length=k, count=count, norm=norm, error=0.0, together=norm)
        for k, (count, norm) in enumerate(counts_and_norms)
    ]


def test_shares_are_count_times_norm_and_hold_beyond_floats():
    assert shares(_lengths((1, 3.0), (2, 0.5), (1, 0.0))) == pytest.approx([0.75, 0.25, 0.0])
    large = math.comb(2000, 1000)
    assert shares(_lengths((large, 1e-9), (large * 3, 1e-9))) == pytest.approx([0.25, 0.75])
    with pytest.raises(UsageError, match="no gradient"):
        shares(_lengths((1, 0.0), (1, 0.0)))


@pytest.mark.parametrize(
    ("weights", "part", "expected"),
    [
        ([1, 2, 4, 2, 1], 0.4, (2, 2)),
        ([1, 2, 4, 2, 1], 0.8, (1, 3)),
        ([1, 2, 4, 2, 1], 1.0, (0, 4)),
        ([0, 0, 1], 1.0, (2, 2)),
    ],
)
def test_the_shortest_interval(weights, part, expected):
    assert shortest_interval(weights, part) == expected


def test_what_cannot_be_measured_is_one_line():
    model, images, labels = _case("cifar_resnet8")
    for arguments, options, message in [
        ((model, images, labels[:2]), {}, "every image needs a class"),
        ((model, images, labels - 1), {}, "every image needs a class"),
        ((model, images.long(), labels), {}, "no gradient"),
        ((model, images, labels), {"draws": 0}, "draws"),
        ((model, images, labels), {"part": 0.0}, "part"),
        ((nn.Flatten(), images, labels), {}, "no residual units"),
        ((model.stages, torch.randn(5, 4, 8, 8).double(), labels), {}, "logits"),
    ]:
        with pytest.raises(UsageError, match=message) as error:
            look("paths", *arguments, **options)
        assert "\n" not in str(error.value)


def test_the_finding():
    model, images, labels = _case("cifar_resnet20")
    found = look("paths", model, images, labels, draws=4)
    assert found.values["paths"] == 512
    assert found.values["mean_length"] == 4.5
    assert [row[1] for row in found.rows] == [math.comb(9, k) for k in range(10)]
    assert math.fsum(row[4] for row in found.rows) == pytest.approx(1)
    first, last = found.values["effective_first"], found.values["effective_last"]
    assert math.fsum(row[4] for row in found.rows[first : last + 1]) >= 0.95
    assert 0 < found.values["cancellation"] <= 1
    total = math.fsum(row[5] for row in found.rows)
    assert found.values["mean_length_together"] == pytest.approx(
        sum(row[0] * row[5] for row in found.rows) / total
    )
    assert len(found.panels) == 4
    assert "512 paths" in found.sentence
    plain = look("paths", *_case("cifar_plain20"), draws=4)
    assert plain.values["paths"] == 1
    assert plain.values["cancellation"] == pytest.approx(1)  # of the same images, and there is one path
    assert "a single path of 9 branches" in plain.sentence
    assert (plain.values["effective_first"], plain.values["effective_last"]) == (9, 9)

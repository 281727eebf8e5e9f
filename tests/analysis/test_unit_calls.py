import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residua.analysis.unit_calls import relative_errors, runs, unit_calls
from residua.errors import UsageError
from residua.nn import Residual
from residua.registry import build, model_spec


def case(name="cifar_resnet14", **changes):
    torch.manual_seed(0)
    model = build(model_spec(name, **{"widths": [4, 6, 8], **changes})).eval()
    for module in model.modules():  # statistics as after training
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean)
    return model, torch.randn(5, 3, 8, 8), torch.arange(5)


def test_a_call_holds_what_came_and_went_and_their_gradients():
    model, images, labels = case()
    calls = unit_calls(model, images, labels)
    assert [v.name for v in calls] == [f"stages.{s}.{u}" for s in range(3) for u in range(2)]
    exact = copy.deepcopy(model).double()
    x = exact.stem(images.double()).detach().requires_grad_()
    first = exact.stages[0][0](x)
    first.retain_grad()
    F.cross_entropy(
        exact.head(exact.stages[2](exact.stages[1](exact.stages[0][1](first)))), labels
    ).backward()
    assert x.grad is not None
    assert first.grad is not None
    torch.testing.assert_close(calls[0].x, x.detach())
    torch.testing.assert_close(calls[0].y, first.detach())
    torch.testing.assert_close(calls[0].x_grad, x.grad)
    torch.testing.assert_close(calls[0].y_grad, first.grad)
    assert calls[0].x.dtype == torch.float64


def test_what_stands_between_units_parts_the_runs():
    unit = lambda: Residual(nn.Linear(3, 3))  # noqa: E731
    model = nn.Sequential(unit(), unit(), nn.ReLU(), unit(), nn.Identity(), unit())
    calls = unit_calls(model, torch.randn(2, 3), torch.tensor([0, 1]))
    assert [[v.name for v in run] for run in runs(calls)] == [["0", "1"], ["3", "5"]]


def test_a_unit_inside_another_is_a_part_of_it():
    inner = Residual(nn.Linear(3, 3))
    calls = unit_calls(nn.Sequential(Residual(nn.Sequential(inner))), torch.randn(2, 3), torch.tensor([0, 1]))
    assert [v.name for v in calls] == ["0"]


def test_the_model_is_untouched_in_values_mode_gradients_and_hooks():
    model, images, labels = case()
    model.train()
    before = copy.deepcopy(model.state_dict())
    unit_calls(model, images, labels)
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad and p.dtype == torch.float32 for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize(
    ("model", "images", "labels", "message"),
    [
        (nn.Linear(3, 2), torch.zeros(2, 3), torch.tensor([0, 1]), "no residual units"),
        (Residual(nn.Linear(3, 3)), torch.zeros(2, 4, 3), torch.tensor([0, 1]), r"\(2, classes\)"),
        (Residual(nn.Linear(3, 3)), torch.zeros(2, 3), torch.tensor([0, 3]), "0 to 2"),
        (Residual(nn.Linear(3, 3)), torch.zeros(2, 3, dtype=torch.int64), torch.tensor([0, 1]), "floating"),
    ],
)
def test_what_cannot_be_walked_is_refused_in_one_line(model, images, labels, message):
    with pytest.raises(UsageError, match=message):
        unit_calls(model, images, labels)


def test_relative_errors_of_nothing_are_nothing():
    found = relative_errors(torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[0.0], [0.0], [2.0]]))
    assert found.tolist() == [0, float("inf"), 0.5]

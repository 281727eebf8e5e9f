import pytest
import torch
from torch import nn

from residua.errors import UsageError
from residua.nn import Inception, residual_units
from residua.registry import build, model_spec


def _meta(name, **changes):
    with torch.device("meta"):
        return build(model_spec(name, **changes))


def _parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_exact_parameters():
    assert _parameters(_meta("googlenet")) == 6_624_904  # torchvision's, without its auxiliary classifiers


def test_the_papers_5x5_kernel_costs_what_it_must():
    specs = [module for stage in model_spec("googlenet").modules for module in stage]
    extra = sum((25 - 9) * reduce * five for _, _, _, reduce, five, _ in specs)
    assert _parameters(_meta("googlenet_5x5")) == 6_624_904 + extra


def test_the_depth_is_22_and_inception_branches_are_no_units():
    model = _meta("googlenet")
    assert model.spec.depth == 22
    assert not residual_units(model)
    assert sum(isinstance(m, Inception) for m in model.modules()) == 9


def test_maps_are_those_of_the_papers_table():
    model = _meta("googlenet")
    x = model.stem(torch.empty(1, 3, 224, 224, device="meta"))
    shapes = [tuple(x.shape[1:])]
    for stage in model.stages:
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(192, 28, 28), (480, 28, 28), (832, 14, 14), (1024, 7, 7)]
    assert [info["reduction"] for info in model.feature_info] == [8, 16, 32]
    assert [info["num_chs"] for info in model.feature_info] == [480, 832, 1024]


def test_dropout_stands_before_the_classifier():
    head = _meta("googlenet").head
    assert [m.p for m in head.pool.modules() if isinstance(m, nn.Dropout)] == [0.2]


def test_every_parameter_learns_at_eight_pixels():
    torch.manual_seed(0)
    model = build(model_spec("googlenet_tiny", in_channels=1))
    model(torch.randn(8, 1, 8, 8)).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.ne(0).any()) for p in model.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modules": []}, "needs an Inception module"),
        ({"modules": [[]]}, "needs an Inception module"),
        ({"modules": [[[1, 2, 3]]]}, "six widths"),
        ({"largest_kernel": 4}, "must be odd"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
        ({"drop_path": 0.1}, "no shortcut to fall back on"),
    ],
)
def test_specs_that_cannot_be_built_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        model_spec("googlenet", **changes)

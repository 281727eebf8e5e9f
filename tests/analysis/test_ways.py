import math
from collections import Counter
from random import Random

import pytest
import torch
from torch import nn

from residua.analysis.path_gradients import path_lengths
from residua.analysis.ways import ways_through
from residua.errors import UsageError
from residua.nn import BranchOnly, Residual
from residua.registry import build, model_spec


def _binomial(n):
    return tuple(math.comb(n, k) for k in range(n + 1))


def _unit(branch=None, shortcut=None, **options):
    return Residual(branch or nn.Linear(3, 3), shortcut, **options)


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("cifar_resnet110", 54),
        ("cifar_preact_resnet20", 9),
        ("preact_resnet18", 8),  # projections and their shared pre-activation
        ("cifar_resnet20_exclusive_gating", 9),
        ("densenet_bc_100_12", 48),
        ("vit_digits", 12),
        ("sngan_tiny", 4),
        ("ode_tiny", 1),
    ],
)
def test_units_in_series_are_binomial(name, units):
    with torch.device("meta"):
        assert path_lengths(build(model_spec(name))) == _binomial(units)


def test_veit_counts():  # sec. 4.3 and 5: ResNet-110
    lengths = path_lengths(nn.Sequential(*(_unit() for _ in range(54))))
    assert sum(lengths) == 2**54
    assert sum(lengths[5:18]) / 2**54 == pytest.approx(0.0045, abs=5e-5)  # "only 0.45 % of paths"
    assert sum(lengths[19:36]) / 2**54 == pytest.approx(0.9802, abs=5e-5)  # "more than 95 %"


def test_a_plain_net_is_a_single_path():
    with torch.device("meta"):
        assert path_lengths(build(model_spec("cifar_plain20"))) == (0,) * 9 + (1,)
        assert path_lengths(build(model_spec("vgg_tiny"))) == (1,)


def test_counts_are_exact_beyond_floats():
    lengths = path_lengths(nn.Sequential(*(_unit() for _ in range(1100))))
    assert sum(lengths) == 2**1100
    assert lengths[550] == math.comb(1100, 550)


def test_nested_units_count_each():
    inner = nn.Sequential(_unit(), nn.ReLU(), _unit())  # 1 + 2z + z^2
    assert path_lengths(_unit(inner)) == (1, 1, 2, 1)  # 1 + z (1 + 2z + z^2)
    assert path_lengths(_unit(shortcut=_unit())) == (1, 2)
    assert path_lengths(_unit(inner, merge=BranchOnly())) == (0, 1, 2, 1)
    assert path_lengths(_unit(activation=_unit())) == (1, 2, 1)
    unit = _unit()
    assert path_lengths(nn.Sequential(unit, unit)) == (1, 2, 1)  # the same one twice


class _Own(nn.Module):
    """A user's network, which lists its parts in another order than it uses them."""

    def __init__(self, forward):
        super().__init__()
        self.last, self.first = (
            _unit(),
            nn.Sequential(nn.Linear(3, 3), _unit(nn.Sequential(_unit(), nn.ReLU()))),
        )
        self.way = forward

    def forward(self, x):
        return self.way(self, x)


OWN = {
    "series": lambda m, x: m.last(torch.relu(m.first(x)) * 2),
    "round": lambda m, x: m.last(m.first(x)) + x,
    "parallel": lambda m, x: m.first(x) + m.last(x),
    "past": lambda m, x: m.last(m.first(x)) + m.first[0](x),
    "nothing": lambda m, x: m.last(m.first(x)).detach(),
    "both": lambda m, x: (m.last(m.first(x)), x),
}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("way", OWN)
def test_any_module_whose_units_are_in_series_and_no_other(way, nested):
    own, example = _Own(OWN[way]), torch.randn(2, 3)
    model = nn.Sequential(nn.Tanh(), own, _unit()) if nested and way != "both" else own
    with pytest.raises(UsageError, match="example"):
        path_lengths(model)
    if way == "series":
        expected = (1, 2, 2, 1)  # (1 + z) (1 + z (1 + z))
        assert path_lengths(own, example) == expected
        if nested:
            assert path_lengths(model, example) == (1, 3, 4, 3, 1)
    else:
        with pytest.raises(UsageError, match="one after the other"):
            path_lengths(model, example)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(module.training for module in model.modules())


def test_a_way_is_drawn_evenly_among_those_of_its_length():
    inner = nn.Sequential(_unit(), _unit())
    ways = ways_through(nn.Sequential(_unit(inner), _unit(shortcut=_unit())))
    random = Random(0)
    for length, count in enumerate(ways.lengths):
        drawn = Counter(tuple(sorted(ways.draw(length, random).items())) for _ in range(400 * count))
        assert len(drawn) == count
        for way, times in drawn.items():
            assert sum(takes for _, takes in way) == length
            assert times == pytest.approx(400, abs=100)

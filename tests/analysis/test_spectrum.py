import json

import pytest
import torch
from torch import nn

from residua.analysis.spectrum import (
    counterexamples,
    dense,
    longest_stretch,
    real_factors,
    spectrum,
)
from residua.analysis.unit_calls import unit_calls
from residua.errors import UsageError
from residua.looks import look
from residua.nn import Residual
from residua.registry import build, model_spec


def case(name="cifar_preact_resnet20", **changes):
    torch.manual_seed(0)
    model = build(model_spec(name, **{"widths": [2, 3, 4], "depths": [4, 2, 2], **changes})).eval()
    return model, torch.randn(3, 3, 8, 8), torch.arange(3)


def test_the_dense_jacobian_is_that_of_torch():
    model, images, labels = case()
    call = unit_calls(model, images[:1], labels[:1])[0]
    expected = torch.func.jacrev(call.branch)(call.x).reshape(128, 128)
    torch.testing.assert_close(dense(call.branch, call.x), expected)
    wide = nn.Linear(3, 600, dtype=torch.float64)  # more rows than are computed at a time
    torch.testing.assert_close(dense(wide, torch.zeros(1, 3, dtype=torch.float64)), wide.weight.detach())


def test_the_spectrum_is_that_of_the_matrices():
    torch.manual_seed(0)
    weights = [torch.randn(4, 4, dtype=torch.float64) / 4 for _ in range(3)]
    model = nn.Sequential(*(Residual(nn.Linear(4, 4, bias=False)) for _ in weights))
    with torch.no_grad():
        for unit, weight in zip(model, weights, strict=True):
            unit.branch.weight.copy_(weight)
    weights = [unit.branch.weight.detach().double() for unit in model]
    stretch = longest_stretch(unit_calls(model, torch.randn(2, 4), torch.tensor([0, 1])), 4)
    found = spectrum(stretch, 0.5)
    eye = torch.eye(4, dtype=torch.float64)
    product = (eye + weights[2] / 2) @ (eye + weights[1] / 2) @ (eye + weights[0] / 2)
    values = torch.linalg.svdvals(product)
    assert (found.smallest, found.largest) == pytest.approx((float(values[-1]), float(values[0])))
    assert found.norms == pytest.approx([float(torch.linalg.svdvals(w / 2)[0]) for w in weights])
    assert found.units == 3


@pytest.mark.parametrize("name", ["cifar_resnet20", "cifar_preact_resnet20"])
def test_the_product_lies_within_its_bounds_and_below_one(name):
    stretch = longest_stretch(unit_calls(*case(name)), 1000)
    found = [spectrum(stretch, scale) for scale in (0.02, 0.2, 1.0)]
    assert [s.e for s in found] == sorted(s.e for s in found)
    for s in found:
        assert s.lower <= s.smallest < 1 < s.largest <= s.upper
    assert found[0].lower > 0
    assert found[-1].lower == 0
    real = real_factors(stretch)
    if "preact" in name:  # nothing after the sum: the unit's own Jacobian is I + J
        assert real == pytest.approx((found[-1].smallest, found[-1].largest))
    else:  # a ReLU after it cuts directions off
        assert real[0] < 1e-12


def test_a_scaled_branch_scales_what_follows():
    """At scale 0 nothing is added: every unit sees the first one's input, and every J is 0."""
    model, images, labels = case()
    stretch = longest_stretch(unit_calls(model, images, labels), 1000)
    still = spectrum(stretch, 0.0)
    assert still.norms == (0, 0, 0, 0)
    assert (still.smallest, still.largest) == pytest.approx((1, 1))
    half, whole = spectrum(stretch, 0.5), spectrum(stretch, 1.0)
    assert half.norms[0] == pytest.approx(whole.norms[0] / 2)
    assert half.norms[1] != pytest.approx(whole.norms[1] / 2, rel=1e-6)  # its input is another


def test_what_is_said_is_broken_by_units():
    found = {c.name: c for c in counterexamples()}
    assert found["F = -x"].largest == 0
    assert found["F = -x / 10"].largest == pytest.approx(0.9**99)
    nilpotent = found["nilpotent J"]
    assert (nilpotent.radius, nilpotent.norm) == (0, 1)
    assert nilpotent.largest == pytest.approx((1 + 5**0.5) / 2)
    turned = found["rotation by 90 degrees"]
    assert turned.radius == pytest.approx(1)
    assert turned.largest == pytest.approx(2**0.5)


def test_the_longest_stretch_that_fits():
    model, images, labels = case()
    calls = unit_calls(model, images, labels)
    assert [v.name for v in longest_stretch(calls, 1000)] == [f"stages.0.{i}" for i in range(4)]
    assert [v.name for v in longest_stretch(calls, 100)] == ["stages.2.1"]  # 16 values, beside 48
    with pytest.raises(UsageError, match="at most 10 values"):
        longest_stretch(calls, 10)
    with pytest.raises(UsageError, match="no residual unit"):
        look("singular", *case("cifar_plain20"))
    with pytest.raises(UsageError, match="one scale"):
        look("singular", model, images, labels, scales=[])


def test_the_finding():
    found = look("singular", *case(), scales=[0.1, 1.0])
    assert len(found.rows) == 6
    assert {len(row) for row in found.rows} == {len(found.columns)}
    assert found.values["minus_identity"] == 0
    assert found.values["nilpotent_radius"] == 0 < found.values["nilpotent_largest"]
    assert "at 2 of 2 scales" in found.sentence
    json.dumps(found.to_dict())

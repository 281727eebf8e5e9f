import copy
import json
import math

import pytest
import torch
from torch import nn

from residua.analysis.signal_variance import Spot, growth, variance_profiles, variances
from residua.errors import UsageError
from residua.looks import look
from residua.nn import Residual
from residua.registry import build, model_spec


def case(name, **changes):
    torch.manual_seed(0)
    model = build(model_spec(name, **{"widths": [24, 24], "depths": [4, 1], **changes}))
    return model, torch.randn(8, 3, 8, 8), torch.arange(8)


def test_he_keeps_the_variance_of_a_plain_network_and_xavier_halves_it():
    found = {p.label: p for p in variance_profiles(*case("cifar_plain20"), draws=2)}
    he, xavier, padded = (
        found[f"plain_{name}"].growth for name in ("he_bare", "xavier_bare", "he_bare_borders")
    )
    assert he.forward == pytest.approx(1, abs=0.1)
    assert he.backward == pytest.approx(1, abs=0.1)
    assert xavier.forward == pytest.approx(0.5, abs=0.05)
    assert xavier.backward == pytest.approx(0.5, abs=0.05)
    assert padded.forward == pytest.approx(
        (22 / 24) ** 2, abs=0.07
    )  # of 3x3 taps on 8x8 pixels, those on the map
    assert found["plain_he_bare"].unit.forward == pytest.approx(he.forward**2, rel=0.1)
    assert found["plain_he_norms"].unit.forward == pytest.approx(1, abs=0.05)


def test_a_residual_unit_without_norms_doubles_it():
    found = {p.label: p for p in variance_profiles(*case("cifar_preact_resnet20", depths=[6, 1]), draws=2)}
    assert found["residual_he_bare"].step == "unit"
    assert found["residual_he_bare"].growth.forward == pytest.approx(2, abs=0.3)
    assert found["residual_he_bare"].growth.backward == pytest.approx(2, abs=0.3)
    # 1 + 1/4 of values that are as often negative as positive; the stem's, behind a ReLU, are not
    assert 1.2 < found["residual_xavier_bare"].growth.forward < 1.6
    assert found["plain_he_bare"].growth.forward == pytest.approx(1, abs=0.1)  # its counterpart


def test_spots_hold_the_variances_of_values_and_gradients():
    torch.manual_seed(0)
    branch = nn.Linear(3, 3)
    model, x, labels = (
        nn.Sequential(Residual(branch), nn.ReLU(inplace=True)),
        torch.randn(4, 3),
        torch.arange(4) % 3,
    )
    layer, unit = variances(model, x, labels)
    inner = branch(x)
    merged = x + inner
    inner.retain_grad()
    merged.retain_grad()
    nn.functional.cross_entropy((x + inner).relu(), labels).backward()
    assert (layer.name, layer.place, layer.shape) == ("0.branch", "layer", (3,))
    assert (unit.name, unit.place) == ("0", "unit")
    assert layer.forward == pytest.approx(float(inner.detach().var(correction=0)))
    assert unit.forward == pytest.approx(float(merged.detach().var(correction=0)))
    assert layer.backward == unit.backward == pytest.approx(float(inner.grad.var(correction=0)))


def test_a_growth_leaves_out_steps_that_change_the_shape():
    spots = [
        Spot(name=str(i), place="unit", shape=shape, forward=forward, backward=1 / forward)
        for i, (shape, forward) in enumerate([((4,), 1.0), ((4,), 8.0), ((2,), 500.0), ((2,), 1000.0)])
    ]
    assert growth(spots, "unit").forward == pytest.approx(4)  # of 8 and 2
    assert growth(spots, "unit").backward == pytest.approx(4)
    assert math.isnan(growth(spots, "layer").forward)


def test_the_model_is_afterwards_as_before():
    model, images, labels = case("cifar_resnet20")
    before, place = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    variances(model, images, labels)
    variance_profiles(model, images, labels, draws=1)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(m._forward_hooks for m in model.modules())
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), place)


def test_the_finding():
    arguments = case("cifar_resnet20")
    found = look("variance", *arguments, draws=1)
    assert len(found.rows) == 12
    assert len(found.columns) == len(found.rows[0])
    assert f"{found.values['plain_he_bare']:.2f}" in found.sentence
    assert "with zero padding" in found.sentence
    values = json.loads(json.dumps(found.to_dict()))
    assert values == json.loads(json.dumps(look("variance", *arguments, draws=1).to_dict()))
    assert values["plain_he_bare"] != look("variance", *arguments, draws=1, seed=5).values["plain_he_bare"]


def test_networks_without_convolutions_have_no_borders():
    found = look(
        "variance",
        nn.Sequential(*(Residual(nn.Sequential(nn.ReLU(), nn.Linear(64, 64))) for _ in range(4))),
        torch.randn(16, 64),
        torch.arange(16),
        draws=2,
    )
    assert {row[3] for row in found.rows} == {"wraps round"}
    assert "padding" not in found.sentence
    assert found.values["residual_he_bare"] == pytest.approx(2, abs=0.3)


def test_where_every_unit_changes_the_shape_nothing_is_said():
    found = look("variance", *case("cifar_resnet8", depths=[1, 1, 1], widths=[4, 6, 8]), draws=1)
    assert found.to_dict()["residual_he_bare"] is None
    assert "residual network" not in found.sentence
    dense = build(model_spec("densenet_tiny"))
    found = look("variance", dense, torch.randn(4, 3, 32, 32), torch.arange(4), draws=1)
    assert found.sentence.startswith("No two units")


@pytest.mark.parametrize(("options", "message"), [({"draws": 0}, "at least once"), ({}, "2 images")])
def test_too_little_is_refused(options, message):
    model, images, labels = case("cifar_resnet20")
    with pytest.raises(UsageError, match=message):
        look("variance", model, images[:1], labels[:1], **options)

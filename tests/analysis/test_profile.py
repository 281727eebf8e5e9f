import json

import pytest
import torch
from torch import nn

from residua.analysis.gradient import gradient_norms
from residua.analysis.profile import gradient_profiles
from residua.analysis.variants import redraw
from residua.errors import UsageError
from residua.looks import Subject, look, look_class
from residua.nn import residual_units
from residua.registry import build, model_spec


def case(name="cifar_resnet14", **changes):
    torch.manual_seed(0)
    return (
        build(model_spec(name, **{"widths": [8, 8, 8], **changes})),
        torch.randn(8, 3, 8, 8),
        torch.arange(8),
    )


def test_without_norms_plain_gradients_vanish_and_faster_under_xavier():
    plain, images, labels = case("cifar_plain32")
    residual, *_ = case("cifar_resnet32")
    found = {
        (p.network, p.init, p.norms): p.ratio
        for p in gradient_profiles({"plain": plain, "residual": residual}, images, labels)
    }
    assert len(found) == 8
    assert found["plain", "Xavier", False] < 1e-3 * found["plain", "He", False] < 1e-3
    assert found["residual", "He", False] > 1
    assert found["plain", "He", True] > 1  # norms alone keep them from vanishing


def test_a_profile_is_what_gradient_norms_finds_in_a_training_step():
    """The seed's draw repeated by hand."""
    model, images, labels = case("cifar_plain14")
    (found,) = [
        p for p in gradient_profiles({"it": model}, images, labels, seed=3) if p.norms and p.init == "He"
    ]
    twin = case("cifar_plain14")[0].double()
    redraw(twin, "He", 3)
    expected = gradient_norms(twin.train(), images.double(), labels)
    assert [u.norm for u in found.units] == pytest.approx([u.norm for u in expected], rel=1e-9)


def test_dropped_branches_are_drawn_by_the_seed():
    model, images, labels = case(drop_path=0.5, drop_path_mode="batch")
    once, again = (look("gradients", model, images, labels, seed=1).rows for _ in range(2))
    assert once == again
    assert once != look("gradients", model, images, labels, seed=2).rows


def test_the_finding_of_a_trained_network_shows_it_as_it_is_too():
    model, images, labels = case()
    model.eval()
    with torch.no_grad():
        for unit in residual_units(model).values():
            unit.branch.norm2.weight.zero_()
    found = look("gradients", model, images, labels)
    assert found.rows[0][:4] == ("as given", None, None, 6)
    exact = gradient_norms(model.train(), images, labels)
    assert found.rows[0][4] == pytest.approx(exact[0].norm, rel=1e-4)
    assert len(found.rows) == 9
    assert found.values["plain_xavier_bare"] < found.values["residual_he_bare"]
    assert len(found.panels) == 3
    json.dumps(found.to_dict())


def test_over_training_every_epoch_has_its_row():
    model, images, labels = case()
    states = [(0, model.state_dict()), (5, case("cifar_resnet14", order="original")[0].state_dict())]
    states[1][1]["stages.0.0.branch.norm2.weight"] *= 3
    found = look_class("training")().at(
        Subject(model=model, images=images, labels=labels, states=lambda: states)
    )
    assert [row[0] for row in found.rows] == [0, 5]
    assert found.rows[0][1:] != found.rows[1][1:]
    assert "epoch 0 to 5" in found.sentence
    with pytest.raises(UsageError, match="no state"):
        look("training", model, images, labels)


def test_one_image_is_no_training_step():
    model, images, labels = case()
    for kind in ("gradients", "training"):
        with pytest.raises(UsageError, match="2 images"):
            look(kind, model, images[:1], labels[:1])
    with pytest.raises(UsageError, match="no residual units"):
        look("gradients", nn.Linear(3, 3), torch.randn(2, 3), labels[:2])

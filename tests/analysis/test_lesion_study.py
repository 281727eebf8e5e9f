import copy

import pytest
import torch
from torch import nn

from residua.analysis.lesion_study import delete_each, delete_many, kendall_tau, reorder
from residua.analysis.lesioning import lesioned, reordered
from residua.errors import UsageError
from residua.looks import look
from residua.registry import build, model_spec


def _case(name, **changes):
    torch.manual_seed(0)
    widths = {} if name == "vgg_tiny" or "densenet" in name else {"widths": [4, 6, 8]}
    model = build(model_spec(name, in_channels=1, **{**widths, **changes}))
    images = torch.randn(40, 1, 8, 8)
    with torch.no_grad():
        labels = model.eval()(images).argmax(1)  # the intact network is always right
    return model, images, labels


def _error(model, images, labels):
    with torch.no_grad():
        return float((model(images).argmax(1) != labels).float().mean())


def test_the_error_without_each_unit():
    model, images, labels = _case("cifar_resnet14")
    found = delete_each(model, images, labels)
    assert [one.site.name for one in found] == [f"stages.{s}.{u}" for s in range(3) for u in range(2)]
    for one in found:
        with lesioned(model, [one.site.name]):
            assert one.error == pytest.approx(_error(model, images, labels))
    assert len({one.error for one in found}) > 2


@pytest.mark.parametrize(
    ("name", "applicable"), [("cifar_plain14", [1, 1, 0, 1, 0, 1]), ("vgg_tiny", [0, 0, 0, 1])]
)
def test_what_cannot_be_bypassed_is_left_out(name, applicable):
    model, images, labels = _case(name)
    assert [one.error is not None for one in delete_each(model, images, labels)] == list(
        map(bool, applicable)
    )
    assert delete_many(model, images, labels, draws=2)[-1].count == sum(applicable)
    with pytest.raises(UsageError, match="cannot be deleted"):
        delete_many(model, images, labels, counts=[sum(applicable) + 1])


def test_random_deletions_follow_the_seed():
    model, images, labels = _case("cifar_resnet20")
    found = delete_many(model, images, labels, counts=[0, 3, 9], draws=3, seed=5)
    assert [one.count for one in found] == [0, 3, 9]
    assert found[0].errors == (0.0, 0.0, 0.0)
    assert len(set(found[1].errors)) > 1
    assert len(set(found[2].errors)) == 1  # there is one way to delete all
    with lesioned(model, [one.site.name for one in delete_each(model, images, labels)]):
        assert found[2].errors[0] == pytest.approx(_error(model, images, labels))
    assert delete_many(model, images, labels, counts=[0, 3, 9], draws=3, seed=5) == found
    assert delete_many(model, images, labels, counts=[3], draws=3, seed=6)[0] != found[1]


def test_swaps_are_of_units_of_equal_shape():
    model, images, labels = _case("cifar_resnet20")
    found = reorder(model, images, labels, swaps=[0, 1, 6], draws=6)
    assert all((one.tau, one.error) == (1.0, 0.0) for one in found if one.swaps == 0)
    # a swap of neighbours costs one inversion of 36 pairs, of units two apart (in the first stage alone) three
    assert {round((1 - one.tau) * 18) for one in found if one.swaps == 1} <= {1, 3}
    assert any(one.error > 0 for one in found if one.swaps == 6)
    assert reorder(model, images, labels, swaps=[0, 1, 6], draws=6) == found
    with reordered(model, [("stages.0.0", "stages.0.2")]):
        assert _error(model, images, labels) >= 0


def test_a_dense_net_has_nothing_to_swap():
    model, images, labels = _case("densenet_tiny")
    assert reorder(model, images, labels, draws=1) == []
    found = look("lesion", model, images, labels, draws=1)
    assert len(found.panels) == 2
    assert found.values["lowest_tau"] is None
    assert found.values["deletable"] == 9


@pytest.mark.parametrize(
    ("order", "tau"),
    [([0, 1, 2, 3], 1), ([3, 2, 1, 0], -1), ([1, 0, 2, 3], 2 / 3), ([3, 1, 2, 0], -2 / 3), ([0], 1), ([], 1)],
)
def test_kendall_tau(order, tau):
    assert kendall_tau(order) == pytest.approx(tau)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_afterwards_as_before(training):
    model, images, labels = _case("cifar_resnet14")
    model.train(training)
    before = copy.deepcopy(model.state_dict())
    look("lesion", model, images, labels, draws=1)
    assert all(module.training is training for module in model.modules())
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_the_finding():
    model, images, labels = _case("cifar_resnet20")
    found = look("lesion", model, images, labels, draws=2)
    assert found.values["error"] == 0.0
    assert found.values["chance_error"] == 1 - int(labels.bincount().max()) / 40
    assert found.values["worst_error_one_deleted"] == max(row[-1] for row in found.rows)
    assert found.rows[3][1:4] == ("residual", "4x8x8", "6x4x4")
    assert len(found.panels) == 3
    assert "without one residual unit" in found.sentence
    plain = look("lesion", *_case("cifar_plain8"), draws=1)
    assert plain.values["deletable"] == 1
    assert "2 of 3 change the shape" in plain.sentence
    none = look("lesion", *_case("vgg_tiny", depths=[1, 1, 1]), draws=1)
    assert none.values["mean_error_one_deleted"] is None
    assert "can be bypassed" in none.sentence
    assert none.to_dict()["rows"]


def test_what_cannot_be_studied_is_one_line():
    model, images, labels = _case("cifar_resnet8")
    for arguments, options, message in [
        ((model, images, labels[:3]), {}, "every image needs a class"),
        ((model, images[:0], labels[:0]), {}, "every image needs a class"),
        ((model, images, labels), {"draws": 0}, "draws"),
        ((nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), images, labels), {}, "no residual units"),
        ((model.stages, torch.randn(40, 4, 8, 8), labels), {}, "logits"),
    ]:
        with pytest.raises(UsageError, match=message) as error:
            look("lesion", *arguments, **options)
        assert "\n" not in str(error.value)

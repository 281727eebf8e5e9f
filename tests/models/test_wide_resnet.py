import pytest
import torch
from torch import nn

from residua.analysis.skeleton import skeleton
from residua.errors import UsageError
from residua.nn import Chain, Projection, ScaledBranch, residual_units, without_norms
from residua.registry import build, family, model_spec
from residua.weights.model_files import Weights, adapt

PARAMETERS = {  # Zagoruyko & Komodakis 2016, Tables 4, 6, 7 and 8, to the last one; wide_resnet50_2: torchvision's
    "wrn_40_1": 563_930,
    "wrn_40_2": 2_243_546,
    "wrn_40_4": 8_949_210,
    "wrn_40_8": 35_748_314,
    "wrn_28_10": 36_479_194,
    "wrn_28_12": 52_517_850,
    "wrn_22_8": 17_158_106,
    "wrn_22_10": 26_797_914,
    "wrn_16_4": 2_748_890,
    "wrn_16_8": 10_961_370,
    "wrn_16_10": 17_116_634,
    "wide_resnet18_2": 45_618_216,
    "wide_resnet50_2": 68_883_240,
    "wide_resnet101_2": 126_886_696,
}


def _meta(name, **changes):
    return skeleton(model_spec(name, **changes))


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_parameters(name, parameters):
    assert sum(p.numel() for p in _meta(name).parameters()) == parameters


@pytest.mark.parametrize("name", family("wide_resnet").named)
def test_every_name_builds_under_its_own_name(name):
    model = _meta(name)
    assert (model.spec.name, model.spec.family) == (name, "wide_resnet")
    assert len(residual_units(model)) == sum(model.spec.depths)


def test_the_names_depth_counts_projections_and_not_the_fully_connected_layer():
    model = _meta("wrn_28_10")
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 28
    assert sum(isinstance(m, Projection) for m in model.modules()) == 3
    assert model.spec.depth == 28 - 3 + 1


def test_widening_leaves_the_stem_and_widens_the_rest():
    model = _meta("wrn_16_8")
    assert model.stem.conv.out_channels == 16
    assert [info["num_chs"] for info in model.feature_info] == [128, 256, 512]


def test_dropout_stands_between_the_convolutions_after_the_activation():
    model = build(model_spec("wrn_16_1", dropout=0.3))
    for unit in residual_units(model).values():
        kinds = [type(m) for m in unit.branch]
        at = kinds.index(nn.Dropout)
        assert kinds.count(nn.Dropout) == 1
        assert unit.branch[at].p == 0.3
        assert kinds[at - 1 : at + 2] == [nn.ReLU, nn.Dropout, nn.Conv2d]
        assert nn.Conv2d in kinds[:at]
    assert not any(isinstance(m, nn.Dropout) for m in _meta("wrn_16_1").modules())


def test_dropout_changes_training_and_not_evaluation():
    torch.manual_seed(0)
    dropped = build(model_spec("wrn_10_1", dropout=0.5))
    clean = build(model_spec("wrn_10_1"))
    clean.load_state_dict(dropped.state_dict())
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(dropped.eval()(x), clean.eval()(x))
    assert not torch.equal(dropped.train()(x), dropped.train()(x))


def test_weights_go_from_a_network_without_dropout_to_one_with_it():
    clean = build(model_spec("wrn_10_1"))
    weights = Weights(clean.state_dict(), clean.spec)
    dropped = build(model_spec("wrn_10_1", dropout=0.3))
    assert adapt(dropped, weights).fresh == ()
    assert torch.equal(dropped.head.fc.weight, clean.head.fc.weight)


def test_units_are_pre_activated_and_a_projection_shares_the_pre_activation():
    model = build(model_spec("wrn_16_2"))
    first, second = model.stages[0][0], model.stages[1][0]
    assert isinstance(first.unit.shortcut, Projection), "16 to 32 channels"
    assert isinstance(second, Chain)
    x = torch.randn(2, 32, 8, 8)
    pre = torch.relu(second.preact.norm(x))
    branch = second.unit.branch
    inner = torch.relu(branch.norm2(branch.conv1(pre)))
    assert torch.allclose(second(x), second.unit.shortcut.conv(pre) + branch.conv2(inner), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("wrn_27_10", {}, "depth 27 is not 6n+4; the nearest are 22 and 28"),
        ("wrn_4_1", {}, "the nearest are 10 and 16"),
        ("wrn_28_0", {}, "unknown model 'wrn_28_0'; did you mean"),
        ("wrn_28_10", {"dropout": 1.0}, "dropout must be in [0, 1), not 1.0"),
        ("wrn_28_10", {"path_width": 8}, "unit 'basic' has no key 'path_width'"),
        ("wrn_28_10", {"stem_width": 0}, "stem 'cifar-conv'.width must be above 0"),
        ("wrn_28_10", {"order": "original"}, "needs order='full_preact'"),
    ],
)
def test_what_cannot_be_built_is_one_line(name, changes, message):
    with pytest.raises(UsageError) as caught:
        model_spec(name, **changes)
    assert message in str(caught.value)


def test_the_tiny_member_is_tiny():
    assert sum(p.numel() for p in _meta(family("wide_resnet").tiny).parameters()) < 100_000


def test_without_norms_only_weights_scalars_and_the_classifier_are_learned():
    model = build(model_spec("wrn_16_1", norm="none", merge="skip_init(start=1)"))
    kinds = {type(m) for m in model.modules() if list(m.parameters(recurse=False))}
    assert kinds == {nn.Conv2d, nn.Linear, ScaledBranch}
    assert not list(model.buffers())
    images = torch.rand(2, 3, 32, 32)
    bare = without_norms(build(model_spec("wrn_16_1")))
    bare.load_state_dict(model.state_dict(), strict=False)
    assert torch.equal(model(images), bare(images))  # alpha = 1 is the sum itself

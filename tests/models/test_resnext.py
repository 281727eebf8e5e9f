import pytest
import torch
import torch.nn.functional as F

from residua.analysis.skeleton import skeleton
from residua.errors import UsageError
from residua.models.slots import Place
from residua.nn import BranchOnly, residual_units
from residua.registry import build, family, model_spec

PARAMETERS = {  # torchvision's and timm's; the CIFAR ones are those of Xie et al. 2016, Table 7: 34.4M and 68.1M
    "resnext50_32x4d": 25_028_904,
    "resnext101_32x4d": 44_177_704,
    "resnext101_32x8d": 88_791_336,
    "resnext101_64x4d": 83_455_272,
    "cifar_resnext29_8x64d": 34_426_698,
    "cifar_resnext29_16x64d": 68_155_210,
    "cifar_resnext29_32x4d": 4_775_754,
}


def _meta(name, **changes):
    return skeleton(model_spec(name, **changes))


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_parameters(name, parameters):
    assert sum(p.numel() for p in _meta(name).parameters()) == parameters


@pytest.mark.parametrize("name", family("resnext").named)
def test_every_name_builds_with_its_depth_paths_and_their_width(name):
    spec = model_spec(name)
    assert spec.name == name
    assert spec.family == "resnext"
    model = _meta(name)
    units = residual_units(model)
    assert len(units) == sum(spec.depths)
    for unit in units.values():
        assert unit.branch.conv2.groups == spec.unit.cardinality
        assert isinstance(unit.merge, BranchOnly) == name.startswith("plain")
    if name != "resnext_tiny":
        assert f"{spec.depth}_{spec.unit.cardinality}x{spec.unit.path_width}d" in name
    first = units["stages.0.0"].branch.conv2
    assert first.out_channels == spec.unit.cardinality * spec.unit.path_width


def _one_path(branch, x, path):
    """Xie et al. 2016, Figure 3a: one of the paths, which knows nothing of the others, but for the last norm."""
    width = branch.conv2.in_channels // branch.conv2.groups
    own = slice(path * width, (path + 1) * width)

    def norm(layer, y):
        return F.batch_norm(
            y, layer.running_mean[own], layer.running_var[own], layer.weight[own], layer.bias[own]
        )

    y = torch.relu(norm(branch.norm1, F.conv2d(x, branch.conv1.weight[own])))
    y = torch.relu(
        norm(branch.norm2, F.conv2d(y, branch.conv2.weight[own], padding=1, stride=branch.conv2.stride))
    )
    return F.conv2d(y, branch.conv3.weight[:, own])


@pytest.mark.parametrize("name", ["stages.0.0", "stages.1.0"])
def test_grouped_convolutions_are_the_sum_of_the_split_transform_merge_paths(name):
    torch.manual_seed(0)
    unit = residual_units(build(model_spec("resnext_tiny")))[name].eval()
    branch = unit.branch
    for norm in (branch.norm1, branch.norm2, branch.norm3):
        torch.nn.init.normal_(norm.running_mean, std=0.2)
        torch.nn.init.uniform_(norm.running_var, 0.5, 2)
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias, std=0.2)
    x = torch.randn(2, branch.conv1.in_channels, 8, 8)
    paths = [_one_path(branch, x, path) for path in range(branch.conv2.groups)]
    assert len(paths) == 4
    assert torch.allclose(branch(x), branch.norm3(torch.stack(paths).sum(0)), atol=1e-5)
    alone = branch.norm3(torch.stack(paths[1:]).sum(0))
    assert not torch.allclose(branch(x), alone, atol=1e-3), "every path counts"


def test_names_that_are_not_listed_follow_the_pattern():
    spec = model_spec("resnext152_16x4d")
    assert (spec.depths, spec.unit.cardinality, spec.unit.path_width) == ((3, 8, 36, 3), 16, 4)
    assert model_spec("cifar_resnext20_4x16d").depths == (2, 2, 2)
    assert model_spec("resnext50_1x64d").unit.inner(Place(64, 64, 64)) == 64


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("cifar_resnext28_8x64d", {}, "depth 28 is not 9n+2; the nearest are 20 and 29"),
        ("cifar_resnext2_8x64d", {}, "the nearest are 11 and 20"),
        ("resnext51_32x4d", {}, "unknown model 'resnext51_32x4d'; did you mean"),
        ("resnext50_32x4d", {"path_width": None}, "32 paths need a path_width"),
        ("resnext50_32x4d", {"unit": "basic(cardinality=2)"}, "unit 'basic' has no key 'cardinality'"),
        ("resnext50_32x4d", {"cardinality": 0}, "cardinality must be above 0"),
        ("resnext50_32x4d", {"widths": [64, 128, 8, 16]}, "without channels"),
    ],
)
def test_what_cannot_be_built_is_one_line(name, changes, message):
    with pytest.raises(UsageError) as caught:
        model_spec(name, **changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_tiny_member_trains_a_step_on_8_px():
    torch.manual_seed(0)
    model = build(model_spec(family("resnext").tiny))
    assert sum(p.numel() for p in model.parameters()) < 100_000
    model(torch.randn(4, 3, 8, 8)).logsumexp(1).sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())

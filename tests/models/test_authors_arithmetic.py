"""Pre-activation networks beside their authors' arithmetic, written out with torch.nn.functional in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residua.description.counterpart import deviations, twin
from residua.description.readings import readings
from residua.errors import UsageError
from residua.loading import create_model, load_model, load_weights
from residua.models.resnet import ResNetSpec
from residua.registry import build, model_spec
from residua.weights.model_files import save_model


def trained(name, **changes):
    """A network in float64 whose norms are not the identity, which would hide one in the wrong place."""
    torch.manual_seed(0)
    model = build(model_spec(name, **changes)).double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return model


def images(side=16):
    return torch.randn(2, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def norm_relu(x, state, name):
    mean, var, weight, bias = (
        state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return F.relu(F.batch_norm(x, mean, var, weight, bias))


def authors(model, x):
    """Logits by the authors' codes, of a network with projections wherever a unit changes shape.

    szagoruyko/wide-residual-networks (models/wide-resnet.lua, pytorch/resnet.py) and KaimingHe/resnet-1k-layers
    (resnet-pre-act.lua): one bare convolution; units of norm, ReLU and convolution in turn; a unit that changes the
    number of channels projects what its first norm and ReLU give, any other adds its untouched input; norm and ReLU
    after the last unit; global average; one fully connected layer.
    """
    state, spec = model.state_dict(), model.spec
    x = F.conv2d(x, state["stem.conv.weight"], padding=1)
    for stage, (depth, stage_stride) in enumerate(zip(spec.depths, (1, 2, 2), strict=True)):
        for index in range(depth):
            at = f"stages.{stage}.{index}."
            shared = f"{at}preact.norm.weight" in state
            inside = f"{at}unit." if shared else at
            stride = stage_stride if index == 0 else 1
            first = out = norm_relu(x, state, f"{at}preact.norm" if shared else f"{at}branch.norm1")
            k = 1
            while (weight := state.get(f"{inside}branch.conv{k}.weight")) is not None:
                out = norm_relu(out, state, f"{inside}branch.norm{k}") if k > 1 else out
                out = F.conv2d(out, weight, stride=stride if k == 1 else 1, padding=weight.shape[-1] // 2)
                k += 1
            changes = x.shape[1] != out.shape[1]
            x = out + (
                F.conv2d(first, state[f"{inside}shortcut.conv.weight"], stride=stride) if changes else x
            )
    x = norm_relu(x, state, "tail.0").mean((2, 3))
    return F.linear(x, state["head.fc.weight"], state["head.fc.bias"])


@pytest.mark.parametrize("name", ["wrn_10_1", "wrn_40_1", "wrn_16_2", "wrn_16_8", "wrn_10_10"])
@torch.no_grad()
def test_wide_resnets_are_zagoruykos(name):
    model = trained(name)
    expected = authors(model, images())
    assert float(expected.std()) > 1e-3
    assert float((model(images()) - expected).abs().max()) < 1e-12


@torch.no_grad()
def test_a_pre_activation_bottleneck_net_with_projections_is_hes_own_code():
    model = trained(
        "cifar_preact_resnet20", unit="bottleneck", shortcut="B", stride_on="1x1", stem="cifar-conv"
    )
    expected = authors(model, images())
    assert float((model(images()) - expected).abs().max()) < 1e-12
    behind = trained("cifar_preact_resnet20", unit="bottleneck", shortcut="B", stride_on="1x1")
    renamed = {  # its first unit projects: behind the stem's norm or within the unit, it is the same norm
        key.replace("stem.norm", "stages.0.0.preact.norm")
        .replace("stages.0.0.b", "stages.0.0.unit.b")
        .replace("stages.0.0.s", "stages.0.0.unit.s"): tensor
        for key, tensor in behind.state_dict().items()
    }
    model.load_state_dict(renamed)
    assert float((model(images()) - behind(images())).abs().max()) < 1e-12


@torch.no_grad()
def test_a_basic_net_starts_its_first_shortcut_where_he_2016_does():
    """Appendix: the first activation stands right after conv1 and before splitting into two paths."""
    model = trained("cifar_preact_resnet8", shortcut="B")
    state = model.state_dict()
    activated = norm_relu(F.conv2d(images(), state["stem.conv.weight"], padding=1), state, "stem.norm")
    branch = model.stages[0][0].branch
    expected = activated + branch.conv2(norm_relu(branch.conv1(activated), state, "stages.0.0.branch.norm2"))
    assert float((model.stages[0][0](model.stem(images())) - expected).abs().max()) < 1e-12
    bare = trained("cifar_preact_resnet8", shortcut="B", stem="cifar-conv")  # pytorchcv's and pytorch-cifar's
    assert float((bare(images()) - authors(bare, images())).abs().max()) < 1e-12


def test_a_file_of_version_0_1_keeps_its_arithmetic_and_says_so(tmp_path):
    model = trained(
        "wrn_10_1", stem="cifar"
    ).float()  # what the name meant: the spec has always named its stem
    path = tmp_path / "old.safetensors"
    save_model(path, model)
    loaded = load_model(path)
    assert "stem.norm.weight" in loaded.state_dict()
    with torch.no_grad():
        assert torch.equal(loaded(images().float()), model(images().float()))
    (note,) = load_weights(path).data["notes"]
    assert "residua 0.1" in note
    assert "the authors'" in note
    assert note in deviations(loaded.spec, twin(loaded.spec))
    with pytest.raises(UsageError, match="create it with stem='cifar'"):
        create_model("wrn_10_1", pretrained=path)
    tuned = create_model("wrn_10_1", stem="cifar", pretrained=path)
    assert torch.equal(tuned.stem.norm.weight, model.stem.norm.weight)
    save_model(path, trained("wrn_10_1"))
    assert "notes" not in load_weights(path).data


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("wrn_40_1", {}, ["starts at the stem's convolution"]),
        ("wrn_28_10", {}, []),
        ("cifar_preact_resnet20", {}, ["in pytorchcv and pytorch-cifar", "subsamples the sum itself"]),
        ("cifar_preact_resnet20", {"shortcut": "B"}, ["in pytorchcv and pytorch-cifar"]),
        ("cifar_preact_resnet164", {}, ["subsamples the sum itself", "resnet-1k-layers"]),
        ("cifar_preact_resnet164", {"shortcut": "B"}, []),
        ("preact_resnet18", {}, ["in timm before them"]),
        ("preact_resnet50", {}, []),
        ("cifar_resnet20", {}, []),
    ],
)
def test_where_readings_part_is_said(name, changes, said):
    spec = model_spec(name, **changes)
    assert isinstance(spec, ResNetSpec)
    found = readings(spec)
    assert len(found) == len(said)
    assert all(words in line for words, line in zip(said, found, strict=True))

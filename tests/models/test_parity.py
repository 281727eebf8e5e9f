"""The ImageNet networks give torchvision's outputs from torchvision's weights."""

import importlib
import re
import sys

import pytest
import torch

from residua.registry import build, model_spec

NAMES = {
    r"^conv1\.": "stem.conv.",
    r"^bn1\.": "stem.norm.",
    r"^fc\.": "head.fc.",
    r"^layer(\d)\.(\d+)\.": lambda m: f"stages.{int(m[1]) - 1}.{m[2]}.",
    r"(\.\d+)\.conv(\d)\.": r"\1.branch.conv\2.",
    r"(\.\d+)\.bn(\d)\.": r"\1.branch.norm\2.",
    r"\.downsample\.0\.": ".shortcut.conv.",
    r"\.downsample\.1\.": ".shortcut.norm.",
}


@pytest.fixture(scope="module")
def torchvision(shared):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(shared / "tools"))
        try:
            importlib.import_module(
                "torchvision_cpu"
            )  # lets torchvision be imported beside a torch without CUDA
            import torchvision
        except Exception as error:
            pytest.skip(f"torchvision cannot be imported: {type(error).__name__}: {error}")
        yield torchvision
    sys.modules.pop("torchvision_cpu", None)


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet34", "resnet50", "resnet101", "resnext50_32x4d", "wide_resnet50_2"]
)
def test_logits_are_torchvisions(torchvision, name):
    torch.manual_seed(0)
    peer = getattr(torchvision.models, name)(num_classes=10).eval()
    for module in peer.modules():  # statistics as after training: the identity would hide a wrong norm
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.1)
    renamed = {}
    for key, tensor in peer.state_dict().items():
        for pattern, name_here in NAMES.items():
            key = re.sub(pattern, name_here, key)
        renamed[key] = tensor
    with torch.device("meta"):
        model = build(model_spec(name, num_classes=10)).eval()
    model.load_state_dict(renamed, assign=True)
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected, got = peer(x), model(x)
    assert torch.allclose(got, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))

"""FCOS, FCN and DeepLab v3 on ResNet-50 give torchvision's outputs from torchvision's weights.

Their tensors stand in the same order under other names.
"""

from pathlib import Path

import pytest
import torch
from torch import nn

from residua.analysis.cost import cost
from residua.registry import build, model_spec

COUNTS = {  # torchvision's, without auxiliary classifiers
    "fcn_resnet50": 32_957_013,
    "fcn_resnet101": 51_949_141,
    "deeplabv3_resnet50": 39_638_869,
    "deeplabv3_resnet101": 58_630_997,
    "fcos_resnet50_fpn": 32_322_720,
}


@pytest.fixture(scope="module")
def torchvision():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).resolve().parents[2]))
        from benchmarks import peers

        try:
            yield peers.import_torchvision()
        except ImportError as error:
            pytest.skip(f"torchvision cannot be imported: {error}")


def with_weights_of(peer, name):
    """The network of that name with the peer's weights, its norms as after training."""
    for module in peer.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean, std=0.1)
    with torch.device("meta"):
        model = build(model_spec(name)).eval()
    theirs = peer.state_dict()
    model.load_state_dict(dict(zip(model.state_dict(), theirs.values(), strict=True)), assign=True)
    return model


def close(got, expected):
    return torch.allclose(got, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_torchvisions(name):
    assert cost(model_spec(name), (3, 64, 64)).parameters == COUNTS[name]


@pytest.mark.parametrize("name", ["fcn_resnet50", "deeplabv3_resnet50"])
def test_logits_are_torchvisions(torchvision, name):
    torch.manual_seed(0)
    make = getattr(torchvision.models.segmentation, name)
    peer = make(weights=None, weights_backbone=None, aux_loss=False).eval()
    model, x = with_weights_of(peer, name), torch.randn(1, 3, 64, 72)
    with torch.inference_mode():
        assert close(model(x), peer(x)["out"])


def test_pyramid_and_head_are_torchvisions(torchvision):
    torch.manual_seed(0)
    peer = torchvision.models.detection.fcos_resnet50_fpn(weights=None, weights_backbone=None).eval()
    nn.init.normal_(peer.head.classification_head.cls_logits.weight, std=0.1)
    model, x = with_weights_of(peer, "fcos_resnet50_fpn"), torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        maps, theirs = list(model.pyramid(x).values()), list(peer.backbone(x).values())
        assert model.strides == (8, 16, 32, 64, 128)
        assert all(close(a, b) for a, b in zip(maps, theirs, strict=True))
        expected, rows = peer.head(theirs), model(x)
        assert close(rows[..., :91], expected["cls_logits"])
        assert close(rows[..., -1:], expected["bbox_ctrness"])
        distances = torch.cat([model.head(m)[:, 91:95].flatten(2).mT for m in maps], 1)
        assert close(distances.relu(), expected["bbox_regression"])

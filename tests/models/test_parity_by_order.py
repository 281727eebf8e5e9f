"""DenseNet, VGG, GoogLeNet and ResNeSt give their peers' outputs from their peers' weights.

Their tensors stand in the same order under other names, so order and shape say which is which.
"""

import pytest
import torch
from torch import nn

from residua.registry import build, model_spec


def _torchvision(name, **options):
    return lambda peers: getattr(peers.import_torchvision().models, name)(**options)


def _timm(name):
    return lambda peers: peers.import_timm().create_model(name, num_classes=10)


def _small_vgg(peers):
    """VGG-16 with hidden layers of 16 instead of 4096: of the hidden layers only the order matters here."""
    vgg = peers.import_torchvision().models.vgg16_bn(num_classes=10)
    for index, sizes in {0: (25_088, 16), 3: (16, 16), 6: (16, 10)}.items():
        vgg.classifier[index] = nn.Linear(*sizes)
    return vgg


CASES = {
    "densenet121": (_torchvision("densenet121", num_classes=10), {}),
    "vgg16_bn": (_small_vgg, {"hidden": [16, 16]}),
    "googlenet": (_torchvision("googlenet", num_classes=10, aux_logits=False, init_weights=False), {}),
    "resnest50": (_timm("resnest50d"), {}),
    "resnest50_fast_4s2x40d": (_timm("resnest50d_4s2x40d"), {}),
    "resnest50_fast_1s4x24d": (_timm("resnest50d_1s4x24d"), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_logits_are_the_peers(peers, name):
    make, changes = CASES[name]
    with torch.device("meta"):
        peer = make(peers)
        model = build(model_spec(name, num_classes=10, **changes)).eval()
    peer = peer.to_empty(device="cpu").eval()
    _fill(peer)
    theirs, ours = _tensors(peer), _tensors(model)
    assert [tensor.shape for _, tensor in theirs] == [tensor.shape for _, tensor in ours]
    model.load_state_dict(
        {key: tensor for (key, _), (_, tensor) in zip(ours, theirs, strict=True)}
        | {key: torch.tensor(0) for key in model.state_dict() if key.endswith("num_batches_tracked")},
        assign=True,
    )
    # double precision: what is left of a difference is no rounding
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with torch.inference_mode():
        expected, got = peer.double()(x), model.double()(x)
    assert float(expected.std()) > 1e-3
    assert torch.allclose(got, expected, rtol=1e-9)


def _tensors(network):
    return [
        (key, tensor)
        for key, tensor in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    ]


def _fill(peer):
    """Weights and statistics as after training: the identity would hide a wrong norm."""
    torch.manual_seed(0)
    for module in peer.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)

"""What the tests of conversions share: the peers, and the comparison of a network with what it was made from."""

from pathlib import Path

import pytest
import torch
from torch import nn

from residua.convert.detect import recognise
from residua.convert.write import to_library
from residua.weights.model_files import Weights, build_model


@pytest.fixture(scope="session")
def peers():
    """Functions that build torchvision's and timm's networks, or a skip."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).resolve().parents[2]))
        from benchmarks.peers import import_timm, import_torchvision

        try:
            timm, models = import_timm(), import_torchvision().models
        except Exception as error:
            pytest.skip(f"the peers cannot be imported: {type(error).__name__}: {error}")
    blocks = {"basic": models.resnet.BasicBlock, "bottleneck": models.resnet.Bottleneck}
    return {
        "torchvision": lambda name, **fields: models.get_model(name, weights=None, **fields),
        "torchvision.ResNet": lambda block, **fields: models.ResNet(blocks[block], **fields),
        "torchvision.DenseNet": lambda _, **fields: models.DenseNet(**fields),
        "torchvision.R3D": lambda _, **fields: models.video.resnet.VideoResNet(
            models.video.resnet.BasicBlock,
            [models.video.resnet.Conv3DSimple] * 4,
            stem=models.video.resnet.BasicStem,
            **fields,
        ),
        "torchvision.ViT": lambda _, **fields: models.VisionTransformer(**fields),
        "timm": lambda name, **fields: timm.create_model(name, **fields),
    }


@pytest.fixture(scope="session")
def trained():
    return _trained


@pytest.fixture(scope="session")
def check_both_ways():
    return _check_both_ways


def _trained(model):
    """Numbers as after a training: a norm that is the identity would hide that it stands in the wrong place."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean, std=0.1)
        if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, nn.Linear):  # heads of ViTs start at zero
            nn.init.normal_(module.weight, std=0.05)
            nn.init.normal_(module.bias, std=0.05)
    return model.eval()


def _check_both_ways(peer, library, shape, **known):
    """A peer's network here gives its logits and gradients, and there again its own tensors; returns ours."""
    state = peer.state_dict()
    weights = recognise(state, **known)
    model = build_model(weights)
    images = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    logits, by_image, by_name = _run(model, images)
    expected, expected_by_image, expected_by_name = _run(peer, images)
    assert _close(logits, expected)
    assert _close(by_image, expected_by_image)
    back = to_library(weights, library)
    assert set(back) == {name for name in state if not name.startswith("aux")}
    assert all(torch.equal(back[name], state[name]) for name in back)
    gradients = Weights({**weights.tensors, **by_name}, weights.spec, weights.data)
    translated = to_library(gradients, library)
    assert all(_close(translated[name], one) for name, one in expected_by_name.items())
    return weights


def _run(model, images):
    """Logits, and the gradients of a loss by the images and by every parameter that it depends on."""
    images = images.clone().requires_grad_()
    logits = model(images)
    loss = (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum()
    parameters = dict(model.named_parameters())
    gradients = torch.autograd.grad(loss, [images, *parameters.values()], allow_unused=True)
    by_name = {name: one for name, one in zip(parameters, gradients[1:], strict=True) if one is not None}
    return logits.detach(), gradients[0], by_name


def _close(one, other):
    """Equal to float32 rounding."""
    return torch.allclose(one, other, rtol=1e-4, atol=2e-5 * float(other.abs().max()) + 1e-12)

import pytest
import torch

from residua.data import normalize
from residua.deploy.deployable import Deployable, maps_classes
from residua.meta import without_numbers
from residua.registry import build, model_spec
from residua.testing.example import network

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
PIXELS = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_pixels_are_normalised_inside():
    net = network(model_spec("cifar_resnet8"))
    with torch.no_grad():
        expected = net(normalize(PIXELS, MEAN, STD))
        found = Deployable(net, MEAN, STD)(PIXELS)[0]
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["cifar_resnet8", "densenet_tiny", "googlenet_tiny", "cifar_revnet10", "vgg_tiny"]
)
def test_the_mean_of_the_map_is_the_logit_without_its_bias(name):
    net = network(model_spec(name))
    torch.nn.init.normal_(net.head.fc.bias)
    pixels = torch.randint(0, 256, (2, *net.spec.usual_input), dtype=torch.uint8)
    channels = net.spec.in_channels
    with torch.no_grad():
        logits, cam = Deployable(net, [0.5] * channels, [0.2] * channels)(pixels)
    best = logits.argmax(1)
    assert torch.allclose(cam.mean((1, 2)), logits.amax(1) - net.head.fc.bias[best], atol=1e-4)


@pytest.mark.parametrize("name", ["vit_digits", "convnext_digits", "vgg16", "r3d_tiny", "segmenter_tiny"])
def test_other_heads_have_no_map_of_classes(name):
    with without_numbers():  # a VGG-16 of 138 million
        assert not maps_classes(build(model_spec(name)))


def test_low_precision_weights_answer_in_float32():
    net = Deployable(network(model_spec("cifar_resnet8")), MEAN, STD)
    with torch.no_grad():
        expected = net(PIXELS)[0]
        net.network.bfloat16()
        logits, cam = net(PIXELS)
    assert logits.dtype == cam.dtype == torch.float32
    assert torch.allclose(logits, expected, atol=0.05 * float(expected.abs().max()))

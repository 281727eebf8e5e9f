"""akamaster, chenyaofo, kuangliu and the blog layout: their networks written out here in their own key layouts."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residua.convert.detect import recognise
from residua.convert.write import to_library
from residua.errors import ResiduaError, UsageError
from residua.registry import build, model_spec
from residua.weights.model_files import Weights, build_model


def conv(inside, out, kernel=3, stride=1):
    return nn.Conv2d(inside, out, kernel, stride, padding=kernel // 2, bias=False)


class Block(nn.Module):
    """A basic block or a bottleneck (v1.5), with the shortcut under the library's name."""

    def __init__(self, inside, width, stride, *, shortcut, option, expansion=1, stride_on="3x3"):
        super().__init__()
        self.shortcut_name, self.option, self.stride = shortcut, option, stride
        self.extra = width * expansion - inside
        if expansion == 1:
            layers = [conv(inside, width, 3, stride), conv(width, width)]
        else:
            steps = (1, stride) if stride_on == "3x3" else (stride, 1)
            layers = [conv(inside, width, 1, steps[0]), conv(width, width, 3, steps[1])]
            layers.append(conv(width, width * expansion, 1))
        for index, layer in enumerate(layers, 1):
            setattr(self, f"conv{index}", layer)
            setattr(self, f"bn{index}", nn.BatchNorm2d(layer.out_channels))
        self.layers = len(layers)
        if option == "B" and (stride > 1 or self.extra):
            projection = conv(inside, width * expansion, 1, stride)
            setattr(self, shortcut, nn.Sequential(projection, nn.BatchNorm2d(width * expansion)))

    def forward(self, x):
        out = x
        for index in range(1, self.layers + 1):
            out = getattr(self, f"bn{index}")(getattr(self, f"conv{index}")(out))
            out = F.relu(out) if index < self.layers else out
        if hasattr(self, self.shortcut_name):
            x = getattr(self, self.shortcut_name)(x)
        elif self.extra:  # option A as akamaster has it
            half = self.extra // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, half))
        return F.relu(out + x)


class CifarNet(nn.Module):
    def __init__(self, depths, widths, *, head, classes=10, **block):
        super().__init__()
        self.conv1, self.bn1, self.head_name = conv(3, widths[0]), nn.BatchNorm2d(widths[0]), head
        channels = widths[0]
        for stage, (depth, width) in enumerate(zip(depths, widths, strict=True), 1):
            units = []
            for unit in range(depth):
                units.append(Block(channels, width, 2 if stage > 1 and unit == 0 else 1, **block))
                channels = width * block.get("expansion", 1)
            setattr(self, f"layer{stage}", nn.Sequential(*units))
        self.stages = len(depths)
        setattr(self, head, nn.Linear(channels, classes))

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in range(1, self.stages + 1):
            x = getattr(self, f"layer{stage}")(x)
        return getattr(self, self.head_name)(x.mean((2, 3)))


AKAMASTER = {"head": "linear", "shortcut": "shortcut"}
CHENYAOFO = {"head": "fc", "shortcut": "downsample", "option": "B"}
KUANGLIU = {"head": "linear", "shortcut": "shortcut", "option": "B"}
CIFAR, WIDE = (16, 32, 64), (64, 128, 256, 512)
# library, arguments of the network, what is found
NETWORKS = [
    ("akamaster", ((1, 1, 1), CIFAR), {**AKAMASTER, "option": "A"}, ("cifar_resnet8", "A-split", "cifar")),
    ("akamaster", ((2, 2, 2), CIFAR), {**AKAMASTER, "option": "B"}, ("cifar_resnet14", "B", "cifar")),
    ("chenyaofo", ((1, 1, 1), CIFAR), {**CHENYAOFO, "classes": 100}, ("cifar_resnet8", "B", "cifar")),
    ("kuangliu", ((2, 2, 2, 2), WIDE), KUANGLIU, ("resnet18", "B", "cifar")),
    ("kuangliu", ((1, 2, 1, 1), WIDE), {**KUANGLIU, "expansion": 4}, ("custom", "B", "cifar")),
]


@pytest.mark.parametrize(("library", "shape", "fields", "found"), NETWORKS)
def test_logits_and_gradients_both_ways(trained, check_both_ways, library, shape, fields, found):
    weights = check_both_ways(trained(CifarNet(*shape, **fields)), library, (3, 32, 32))
    assert (weights.spec.name, weights.spec.shortcut.kind, weights.spec.stem.kind) == found
    assert weights.data["library"] == library
    assert weights.data["shape"] == [3, 32, 32]
    assert ("classes" in weights.data) == (weights.spec.num_classes == 10)
    images = {"akamaster": [0.485, 0.456, 0.406], "kuangliu": [0.4914, 0.4822, 0.4465]}
    assert weights.data["mean"] == images.get(library, [0.5070, 0.4865, 0.4409])


def test_what_tensors_cannot_tell_is_told(trained, check_both_ways):
    net = trained(CifarNet((1, 1, 1, 1), WIDE, **KUANGLIU, expansion=4, stride_on="1x1"))
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        told = recognise(net.state_dict(), stride_on="1x1")
        assert torch.allclose(build_model(told)(images), net(images), atol=1e-4)
        assumed = recognise(net.state_dict())
        assert not torch.allclose(build_model(assumed)(images), net(images), atol=1e-2)
    assert told.spec.unit.stride_on == "1x1"
    assert any("v1.5" in note for note in assumed.data["notes"])
    assert not any("v1.5" in note for note in told.data["notes"])
    appended = recognise(CifarNet((1, 1, 1), CIFAR, **AKAMASTER, option="A").state_dict(), shortcut="A")
    assert appended.spec.shortcut.kind == "A"


@pytest.mark.parametrize(
    ("fields", "known", "message"),
    [
        ({**AKAMASTER, "option": "B"}, {"shortcut": "A"}, "leave open nothing"),
        ({**AKAMASTER, "option": "A"}, {"stride_on": "1x1"}, "leave open shortcut"),
        ({**AKAMASTER, "option": "A"}, {"shortcut": "Z"}, "unknown shortcut 'Z'"),
    ],
)
def test_what_tensors_tell_is_not_to_be_told(fields, known, message):
    with pytest.raises(UsageError, match=message):
        recognise(CifarNet((1, 1, 1), CIFAR, **fields).state_dict(), **known)


def weights_of(name, **changes):
    model = build(model_spec(name, **changes))
    return Weights(model.state_dict(), model.spec)


REFUSED = [
    ("akamaster", "cifar_resnet8", {}, "shortcut is 'A-split' or 'B' there, here 'A'"),
    ("akamaster", "cifar_resnet8", {"shortcut": "C"}, "shortcut is 'A-split' or 'B' there, here 'C'"),
    (
        "akamaster",
        "cifar_resnet8",
        {"shortcut": "A-split", "widths": [8, 16, 32]},
        r"widths is \[16, 32, 64\]",
    ),
    ("akamaster", "cifar_plain20", {"shortcut": "A-split"}, "merge is 'add' there, here 'branch_only'"),
    ("chenyaofo", "cifar_resnet8", {}, "shortcut is 'B' there"),
    (
        "chenyaofo",
        "cifar_resnet11",
        {"shortcut": "B"},
        "unit is 'basic'",
    ),
    ("torchvision", "cifar_resnet8", {"shortcut": "B"}, "stem is 'imagenet' there, here 'cifar'"),
    ("torchvision", "resnet18", {"stem": "imagenet-unpadded"}, "stem is 'imagenet' there"),
    ("torchvision", "resnet50_v1", {"depths": [1, 1, 1, 1]}, "stride_on is '3x3' there, here '1x1'"),
    ("torchvision", "resnet18", {"output_stride": 8}, "output_stride is None there, here 8"),
    (
        "torchvision",
        "resnet18",
        {"drop_path": 0.5, "drop_path_mode": "batch"},
        "scales branches at test time",
    ),
    ("torchvision", "preact_resnet18", {}, "no place for"),
    ("torchvision", "resnest14", {}, "families are convnext, densenet, googlenet, resnet, resnet3d"),
    ("torchvision", "resnet18", {"num_classes": 0}, "networks have a classifier"),
    ("torchvision", "vgg11", {"hidden": []}, r"hidden is \[4096, 4096\] there, here \[\]"),
    ("torchvision", "vit_b_16", {"layers": 1, "norm": "post"}, "no place for|norm is 'pre' there"),
    ("torchvision", "vit_b_16", {"layers": 1, "heads": 6}, "heads is 12 there, here 6"),
    ("kuangliu", "resnet18", {}, "stem is 'cifar' there"),
    ("timm", "preact_resnet50", {"depths": [1, 1, 1, 1]}, "stem is 'imagenet-pool-first' there"),
    ("timm", "resnest50_fast_2s1x64d", {"depths": [1, 1, 1, 1]}, "pool_first is False there, here True"),
    ("torchvsion", "resnet18", {}, "did you mean 'torchvision'"),
    ("the blog layout", "resnet18", {"stem": "imagenet-unpadded"}, "unknown library"),
]


@pytest.mark.parametrize(("library", "name", "changes", "message"), REFUSED)
def test_what_a_library_would_compute_otherwise_is_refused(library, name, changes, message):
    with pytest.raises(UsageError, match=message) as caught:
        to_library(weights_of(name, **changes), library)
    assert "\n" not in str(caught.value)


def test_stochastic_depth_by_sample_leaves_no_trace():
    weights = weights_of("cifar_resnet8", shortcut="B", drop_path=0.5)
    assert "layer1.0.conv1.weight" in to_library(weights, "chenyaofo")


class Stacked(nn.Module):
    """The blog's network: pools without padding, projects where channels change."""

    def __init__(self, depths, *, bottleneck, nested, bias):
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 7, 2, padding=3, bias=bias)
        self.norm = nn.BatchNorm2d(64)  # before the convolution by name
        stages, channels = [], 64
        for stage, depth in enumerate(depths):
            units = []
            for unit in range(depth):
                block = StackedBlock(
                    channels, 64 * 2**stage, 2 if stage and not unit else 1, bottleneck, bias
                )
                units.append(block)
                channels = block.channels
            stages.append(nn.Sequential(*units))
        self.stacklayers = nn.Sequential(
            *(stages if nested else [unit for stage in stages for unit in stage])
        )
        self.classify = nn.Linear(channels, 7)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.stem(x))), 3, 2)
        return self.classify(self.stacklayers(x).mean((2, 3)))


class StackedBlock(nn.Module):
    def __init__(self, inside, width, stride, bottleneck, bias):
        super().__init__()
        rows = [(width, 3, stride), (width, 3, 1)]
        if bottleneck:
            rows = [(width, 1, 1), (width, 3, stride), (4 * width, 1, 1)]
        layers, channels = [], inside
        for out, kernel, step in rows:
            layers += [nn.Conv2d(channels, out, kernel, step, padding=kernel // 2, bias=bias)]
            layers += [nn.BatchNorm2d(out), nn.ReLU()]
            channels = out
        self.channels = channels
        self.convlayers = nn.Sequential(*layers[:-1])
        if inside != channels:
            self.change = nn.Sequential(
                nn.Conv2d(inside, channels, 1, stride, bias=bias), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        return F.relu(self.convlayers(x) + (self.change(x) if hasattr(self, "change") else x))


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize(("bottleneck", "bias"), [(False, False), (True, True)])
def test_the_blog_layout_is_reproduced(trained, nested, bottleneck, bias):
    net = trained(Stacked((2, 1, 1, 1), bottleneck=bottleneck, nested=nested, bias=bias))
    weights = recognise(net.state_dict())
    assert weights.spec.stem.kind == "imagenet-unpadded"
    assert weights.spec.depths == (2, 1, 1, 1)
    assert any("55x55" in note for note in weights.data["notes"])
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected, got = net(images), build_model(weights)(images)
    assert torch.allclose(got, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_a_blog_network_with_more_in_its_blocks_is_refused():
    state = Stacked((1, 1, 1, 1), bottleneck=False, nested=True, bias=False).state_dict()
    state |= {"stacklayers.1.0.gate.weight": torch.zeros(8, 128), "stacklayers.1.0.gate.bias": torch.zeros(8)}
    with pytest.raises(ResiduaError, match="of no network known here"):
        recognise(state)


def test_a_blog_network_that_cannot_be_is_refused():
    state = Stacked((1, 1, 1, 1), bottleneck=False, nested=True, bias=False).state_dict()
    state["stacklayers.2.0.convlayers.0.weight"] = torch.zeros(256, 128, 5, 5)
    with pytest.raises(ResiduaError, match="the blog layout's, but its tensors do not fit"):
        recognise(state)

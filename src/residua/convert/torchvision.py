"""torchvision's resnet18 to resnet152 (timm's of the same names have the same tensors)."""

from __future__ import annotations

from residua.convert.library import IMAGENET_MEAN, IMAGENET_STD, Library

TORCHVISION = Library(
    name="torchvision",
    looks="conv1, bn1, layer1..4, downsample.0, fc",
    keys={
        r"conv1\.weight": r"stem.conv.weight",
        r"bn1\.(\w+)": r"stem.norm.\1",
        r"fc\.(weight|bias)": r"head.fc.\1",
    },
    unit_keys={
        r"conv([123])\.weight": r"branch.conv\1.weight",
        r"bn([123])\.(\w+)": r"branch.norm\1.\2",
        r"downsample\.0\.weight": r"shortcut.conv.weight",
        r"downsample\.1\.(\w+)": r"shortcut.norm.\1",
    },
    stem="imagenet",
    assumed={"stride_on": "3x3"},
    notes=(
        "bottlenecks taken as v1.5 (stride on the 3x3): keys and shapes cannot tell v1 from v1.5",
        "images normalised with the ImageNet mean and std, as its trainer does",
    ),
    shape=(3, 224, 224),
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
)

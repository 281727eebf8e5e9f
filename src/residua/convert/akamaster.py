"""akamaster/pytorch_resnet_cifar10: the CIFAR ResNets of He et al. 2015, sec. 4.2, with option A or B."""

from __future__ import annotations

from residua.convert.library import IMAGENET_MEAN, IMAGENET_STD, Library

AKAMASTER = Library(
    name="akamaster",
    looks="conv1, bn1, layer1..3, shortcut.0, linear",
    keys={
        r"conv1\.weight": r"stem.conv.weight",
        r"bn1\.(\w+)": r"stem.norm.\1",
        r"linear\.(weight|bias)": r"head.fc.\1",
    },
    unit_keys={
        r"conv([12])\.weight": r"branch.conv\1.weight",
        r"bn([12])\.(\w+)": r"branch.norm\1.\2",
        r"shortcut\.0\.weight": r"shortcut.conv.weight",
        r"shortcut\.1\.(\w+)": r"shortcut.norm.\1",
    },
    stem="cifar",
    assumed={"shortcut": "A-split"},  # without shortcut tensors; its resnet.py pads planes // 4 on each side
    notes=(
        "without shortcut tensors taken as option A with zeros on both sides",
        "images normalised with the ImageNet mean and std, as its trainer does",
    ),
    shape=(3, 32, 32),
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)

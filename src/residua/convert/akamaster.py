"""akamaster/pytorch_resnet_cifar10: the CIFAR ResNets of He et al. 2015, sec. 4.2, with option A or B."""

from __future__ import annotations

from residua.convert import resnets
from residua.convert.layout import CIFAR10_CLASSES, Assumption, Images, Layout
from residua.nn.conventions import IMAGENET_MEAN, IMAGENET_STD

AKAMASTER = Layout(
    library="akamaster",
    families=("resnet",),
    keys={
        **resnets.STEM,
        **resnets.UNIT,
        "stages.{s}.{u}.shortcut.conv.{p}": "layer{s+1}.{u}.shortcut.0.{p}",
        "stages.{s}.{u}.shortcut.norm.{p}": "layer{s+1}.{u}.shortcut.1.{p}",
        "head.fc.{p}": "linear.{p}",
    },
    infer=resnets.infer_resnet,
    assumed={
        "shortcut": Assumption(  # its resnet.py pads planes // 4 on each side
            value="A-split",
            note="without shortcut tensors taken as option A with zeros on both sides",
            open=lambda tensors: not resnets.is_projected(tensors),
        )
    },
    fixed={"stem": "cifar", "unit": "basic", "widths": (16, 32, 64), "shortcut": frozenset({"A-split", "B"})},
    idle=resnets.idle_fields,
    names=resnets.pattern_names,
    images=Images(mean=IMAGENET_MEAN, std=IMAGENET_STD, classes=CIFAR10_CLASSES),
    notes=("images normalised with the ImageNet mean and std, as its trainer does",),
)

"""kuangliu/pytorch-cifar: the ImageNet ResNets behind a 3x3 stem, for 32-pixel images; v1.5, option B."""

from __future__ import annotations

from residua.convert import resnets
from residua.convert.akamaster import AKAMASTER
from residua.convert.layout import CIFAR10_CLASSES, Images, Layout

CIFAR10_MEAN, CIFAR10_STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)

KUANGLIU = Layout(
    library="kuangliu",
    families=("resnet",),
    keys=AKAMASTER.keys,
    infer=resnets.infer_resnet,
    mine=lambda tensors: "stages.3.0.branch.conv1.weight" in tensors,
    assumed={"stride_on": resnets.STRIDE_ON},
    fixed={"stem": "cifar", "widths": (64, 128, 256, 512), "unit.expansion": 4, "shortcut": "B"},
    idle=resnets.idle_fields,
    images=Images(mean=CIFAR10_MEAN, std=CIFAR10_STD, classes=CIFAR10_CLASSES),
    notes=("images normalised with the CIFAR-10 mean and std of its trainer",),
)

"""chenyaofo/pytorch-cifar-models: the CIFAR ResNets with option B, under torchvision's names."""

from __future__ import annotations

from residua.convert import resnets
from residua.convert.kuangliu import CIFAR10_MEAN, CIFAR10_STD
from residua.convert.layout import CIFAR10_CLASSES, Images, Layout
from residua.convert.torchvision import RESNET

CHENYAOFO = Layout(
    library="chenyaofo",
    families=("resnet",),
    keys=RESNET.keys,
    infer=resnets.infer_resnet,
    mine=lambda tensors: tensors["stem.conv.weight"].shape[-1] == 3,
    assumed={"stride_on": resnets.STRIDE_ON},
    fixed={"stem": "cifar", "unit": "basic", "widths": (16, 32, 64), "shortcut": "B"},
    idle=resnets.idle_fields,
    names=resnets.pattern_names,
    images=Images(mean=CIFAR10_MEAN, std=CIFAR10_STD, classes=CIFAR10_CLASSES),
    other_images={100: Images(mean=(0.5070, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2761))},
    notes=("images normalised with the CIFAR mean and std of its trainer",),
)

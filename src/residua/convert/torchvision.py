"""torchvision (and timm, whose ResNets of the same names have the same tensors)."""

from __future__ import annotations

from residua.convert import resnets
from residua.convert.layout import IMAGENET_MEAN, IMAGENET_STD, Images, Layout

IMAGENET = Images(shape=(3, 224, 224), mean=IMAGENET_MEAN, std=IMAGENET_STD)

RESNET = Layout(
    library="torchvision",
    family="resnet",
    keys={
        **resnets.STEM,
        **resnets.UNIT,
        "stages.{s}.{u}.shortcut.conv.{p}": "layer{s+1}.{u}.downsample.0.{p}",
        "stages.{s}.{u}.shortcut.norm.{p}": "layer{s+1}.{u}.downsample.1.{p}",
        "head.fc.{p}": "fc.{p}",
    },
    infer=resnets.infer_resnet,
    mine=lambda tensors: tensors["stem.conv.weight"].shape[-1] == 7,
    assumed={"stride_on": resnets.STRIDE_ON},
    fixed={"stem": "imagenet", "widths": (64, 128, 256, 512), "expansion": 4, "shortcut": "B"},
    idle=resnets.idle_fields,
    images={None: IMAGENET},
    notes=("images normalised with the ImageNet mean and std, as its trainer does",),
)

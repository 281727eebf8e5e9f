"""timm: ResNets, DenseNets under torchvision's keys; pre-activation ResNets, ResNeSts and ViTs under its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from residua.convert import infer, resnets, torchvision
from residua.convert.layout import Assumption, Images, Layout, Tensors

HALVES = Images(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
_HALVES_NOTE = ("images normalised with mean and std 0.5, as most of its weights of this family are",)
_BLOCK = "stages.{s}.blocks.{u}"


def _infer_preact(tensors: Tensors) -> dict[str, Any]:
    if not any(name.endswith("norm.running_mean") for name in tensors):
        raise ValueError("it has group norms, as BiT has, and residua's networks have batch norms")
    if "stages.0.0.shortcut.conv.weight" not in tensors:
        raise ValueError(
            "its first shortcut starts before the first norm; residua's first unit is handed what the norm gives"
        )
    return resnets.infer_resnet(tensors) | {"order": "full_preact", "stem": "imagenet-pool-first"}


PREACT = Layout(
    library="timm",
    families=resnets.FAMILIES,
    keys={
        "stem.conv.{p}": "stem.conv.{p}",
        "stem.norm.{p}": "stages.0.blocks.0.norm1.{p}",  # the first unit's shared pre-activation
        "stages.{s}.{u}.branch.conv{k}.{p}": f"{_BLOCK}.conv{{k}}.{{p}}",
        "stages.{s}.{u}.branch.norm{k}.{p}": f"{_BLOCK}.norm{{k}}.{{p}}",
        "stages.{s}.{u}.shortcut.conv.{p}": f"{_BLOCK}.downsample.conv.{{p}}",
        "stages.{s}.{u}.preact.norm.{p}": f"{_BLOCK}.norm1.{{p}}",
        "stages.{s}.{u}.unit.branch.conv{k}.{p}": f"{_BLOCK}.conv{{k}}.{{p}}",
        "stages.{s}.{u}.unit.branch.norm{k}.{p}": f"{_BLOCK}.norm{{k}}.{{p}}",
        "stages.{s}.{u}.unit.shortcut.conv.{p}": f"{_BLOCK}.downsample.conv.{{p}}",
        "tail.0.{p}": "norm.{p}",
        "head.fc.{p}": "head.fc.{p}",
    },
    infer=_infer_preact,
    assumed={"stride_on": resnets.STRIDE_ON},
    fixed={
        "order": "full_preact",
        "stem": "imagenet-pool-first",
        "widths": (64, 128, 256, 512),
        "unit.expansion": 4,
    },
    idle=resnets.idle_fields,
    dimensions={"head.fc.weight": 4},
    images=HALVES,
    notes=_HALVES_NOTE,
)

RESNEST = Layout(
    library="timm",
    families=("resnest",),
    keys={
        "stem.conv1.{p}": "conv1.0.{p}",
        "stem.norm1.{p}": "conv1.1.{p}",
        "stem.conv2.{p}": "conv1.3.{p}",
        "stem.norm2.{p}": "conv1.4.{p}",
        "stem.conv3.{p}": "conv1.6.{p}",
        "stem.norm3.{p}": "bn1.{p}",
        **resnets.UNIT,
        "stages.{s}.{u}.branch.conv2.conv.{p}": "layer{s+1}.{u}.conv2.conv.{p}",
        "stages.{s}.{u}.branch.conv2.norm1.{p}": "layer{s+1}.{u}.conv2.bn0.{p}",
        "stages.{s}.{u}.branch.conv2.norm2.{p}": "layer{s+1}.{u}.conv2.bn1.{p}",
        "stages.{s}.{u}.branch.conv2.fc{k}.{p}": "layer{s+1}.{u}.conv2.fc{k}.{p}",
        "stages.{s}.{u}.shortcut.conv.{p}": "layer{s+1}.{u}.downsample.1.{p}",
        "stages.{s}.{u}.shortcut.norm.{p}": "layer{s+1}.{u}.downsample.2.{p}",
        "head.fc.{p}": "fc.{p}",
    },
    infer=infer.resnest,
    mine=lambda tensors: (
        "stages.0.0.branch.conv2.conv.weight" in tensors
    ),  # not its ResNet-D, which has the stem too
    assumed={
        "pool_first": Assumption(
            note="taken to pool before the 3x3 only where the radix is not 2 or paths are several, as its networks do"
        )
    },
    fixed={"stem": "deep", "unit.expansion": 4},
    images=torchvision.IMAGENET,
    notes=torchvision.NORMALISED,
)

VIT = Layout(
    library="timm",
    families=("vit",),
    keys={
        "stem.token": "cls_token",
        "stem.positions": "pos_embed",
        "stem.patch.{p}": "patch_embed.proj.{p}",
        "stages.0.{u}.attention.branch.norm.{p}": "blocks.{u}.norm1.{p}",
        "stages.0.{u}.attention.branch.attention.qkv.{p}": "blocks.{u}.attn.qkv.{p}",
        "stages.0.{u}.attention.branch.attention.proj.{p}": "blocks.{u}.attn.proj.{p}",
        "stages.0.{u}.mlp.branch.norm.{p}": "blocks.{u}.norm2.{p}",
        "stages.0.{u}.mlp.branch.mlp.fc{k}.{p}": "blocks.{u}.mlp.fc{k}.{p}",
        "tail.{p}": "norm.{p}",
        "head.fc.{p}": "head.{p}",
    },
    infer=infer.vit,
    assumed={"heads": infer.HEADS},
    images=HALVES,
    notes=_HALVES_NOTE,
)

SERESNET = Layout(
    library="timm",
    families=("seresnet",),
    keys={
        **resnets.STEM,
        "stages.{s}.{u}.branch.branch.conv{k}.{p}": "layer{s+1}.{u}.conv{k}.{p}",
        "stages.{s}.{u}.branch.branch.norm{k}.{p}": "layer{s+1}.{u}.bn{k}.{p}",
        "stages.{s}.{u}.branch.gate.fc{k}.{p}": "layer{s+1}.{u}.se.fc{k}.{p}",
        "stages.{s}.{u}.shortcut.conv.{p}": "layer{s+1}.{u}.downsample.0.{p}",
        "stages.{s}.{u}.shortcut.norm.{p}": "layer{s+1}.{u}.downsample.1.{p}",
        "head.fc.{p}": "fc.{p}",
    },
    infer=resnets.infer_squeezed,
    mine=lambda tensors: "stages.0.0.branch.gate.fc1.weight" in tensors,
    assumed={"unit.of.stride_on": replace(resnets.STRIDE_ON, open=resnets.is_gated_bottleneck)},
    fixed={"unit": "squeezed", "unit.reduction": 16, "unit.of.expansion": 4},
    idle=resnets.idle_fields,
    images=torchvision.IMAGENET,
    notes=torchvision.NORMALISED,
)

CONVNEXT = Layout(
    library="timm",
    families=("convnext",),
    keys={
        "stem.conv.{p}": "stem.0.{p}",
        "stem.norm.{p}": "stem.1.{p}",
        "stages.{s}.transition.norm.{p}": "stages.{s}.downsample.0.{p}",
        "stages.{s}.transition.conv.{p}": "stages.{s}.downsample.1.{p}",
        "stages.{s}.{u}.branch.conv.{p}": f"{_BLOCK}.conv_dw.{{p}}",
        "stages.{s}.{u}.branch.norm.{p}": f"{_BLOCK}.norm.{{p}}",
        "stages.{s}.{u}.branch.fc{k}.{p}": f"{_BLOCK}.mlp.fc{{k}}.{{p}}",
        "stages.{s}.{u}.merge.gain": f"{_BLOCK}.gamma",
        "head.pool.norm.{p}": "head.norm.{p}",
        "head.fc.{p}": "head.fc.{p}",
    },
    infer=infer.convnext,
    idle=infer.convnext_idle,
    dimensions={"stages.{s}.{u}.branch.fc{k}.weight": 2},
    images=torchvision.IMAGENET,
    notes=torchvision.NORMALISED,
)

# under torchvision's keys; read as torchvision's, written for either
LAYOUTS = (
    PREACT,
    RESNEST,
    VIT,
    SERESNET,
    CONVNEXT,
    replace(torchvision.RESNET, library="timm"),
    replace(torchvision.DENSENET, library="timm"),
)

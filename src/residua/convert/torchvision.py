"""torchvision's image and video classifiers, and the keys that other libraries took over from it."""

from __future__ import annotations

from residua.convert import infer, resnets
from residua.convert.layout import Images, Layout, rewrite
from residua.models.googlenet import GoogLeNetSpec
from residua.nn.conventions import IMAGENET_MEAN, IMAGENET_STD

IMAGENET = Images(mean=IMAGENET_MEAN, std=IMAGENET_STD)
NORMALISED = ("images normalised with the ImageNet mean and std, as its trainer does",)

RESNET = Layout(
    library="torchvision",
    families=resnets.FAMILIES,
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
    fixed={"stem": "imagenet", "widths": (64, 128, 256, 512), "unit.expansion": 4, "shortcut": "B"},
    idle=resnets.idle_fields,
    names=resnets.pattern_names,
    images=IMAGENET,
    notes=NORMALISED,
)

DENSENET = Layout(
    library="torchvision",
    families=("densenet",),
    keys={
        "stem.conv.{p}": "features.conv0.{p}",
        "stem.norm.{p}": "features.norm0.{p}",
        "stages.{s}.{u}.branch.conv{k}.{p}": "features.denseblock{s+1}.denselayer{u+1}.conv{k}.{p}",
        "stages.{s}.{u}.branch.norm{k}.{p}": "features.denseblock{s+1}.denselayer{u+1}.norm{k}.{p}",
        "stages.{s}.transition.conv.{p}": "features.transition{s}.conv.{p}",
        "stages.{s}.transition.norm.{p}": "features.transition{s}.norm.{p}",
        "tail.norm.{p}": "features.norm5.{p}",
        "head.fc.{p}": "classifier.{p}",
    },
    infer=infer.densenet,
    prepare=rewrite({r"(denselayer\d+\.(?:norm|conv))\.([12])\.": r"\1\2."}),  # as files of 2017 name them
    fixed={"stem": "imagenet", "transition.compression": 0.5},
    images=IMAGENET,
    notes=NORMALISED,
)


def _vgg(depths: tuple[int, ...], norm: bool) -> Layout:
    """Its ``features`` are one Sequential, so that numbers depend on the configuration."""
    keys, index = {}, 0
    for stage, depth in enumerate(depths):
        for layer in range(1, depth + 1):
            first = stage == 0 and layer == 1
            place = "stem.{}" if first else f"stages.{stage}.{{}}{layer}"
            keys[f"{place.format('conv')}.{{p}}"] = f"features.{index}.{{p}}"
            if norm:
                keys[f"{place.format('norm')}.{{p}}"] = f"features.{index + 1}.{{p}}"
            index += 3 if norm else 2
        index += 1  # the pool
    return Layout(
        library="torchvision",
        families=("vgg",),
        keys={
            **keys,
            "head.pool.fc1.{p}": "classifier.0.{p}",
            "head.pool.fc2.{p}": "classifier.3.{p}",
            "head.fc.{p}": "classifier.6.{p}",
        },
        infer=lambda tensors: infer.vgg(tensors, depths, norm),
        fixed={
            "depths": depths,
            "norm": norm,
            "widths": (64, 128, 256, 512, 512),
            "hidden": (4096, 4096),
            "pool_size": 7,
        },
        images=IMAGENET,
        notes=NORMALISED,
    )


# Simonyan and Zisserman 2015, Table 1: configurations A, B, D, E
_VGG = ((1, 1, 2, 2, 2), (2, 2, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4))

GOOGLENET = Layout(
    library="torchvision",
    families=("googlenet",),
    keys={
        "stem.conv{k}.conv.{p}": "conv{k}.conv.{p}",
        "stem.conv{k}.norm.{p}": "conv{k}.bn.{p}",
        **{
            f"stages.{stage}.{unit}.branch{ours}": f"inception{stage + 3}{letter}.branch{theirs}"
            for stage, letters in enumerate(("ab", "abcde", "ab"))
            for unit, letter in enumerate(letters)
            for ours, theirs in (
                ("{b}.conv.{p}", "{b}.conv.{p}"),
                ("{b}.norm.{p}", "{b}.bn.{p}"),
                ("{b}.{k}.conv.{p}", "{b}.{k}.conv.{p}"),
                ("{b}.{k}.norm.{p}", "{b}.{k}.bn.{p}"),
            )
        },
        "head.fc.{p}": "fc.{p}",
    },
    infer=infer.googlenet,
    prepare=rewrite({r"^aux[12]\.": None}),
    fixed={"stem": "imagenet", "stem_width": 64, "modules": GoogLeNetSpec().modules, "largest_kernel": 3},
    # its pre-trained network takes images of the ImageNet mean and std, and rescales them to these inside
    images=Images(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    notes=("auxiliary classifiers are left out", "its transform_input is part of the images' mean and std"),
)

VIT = Layout(
    library="torchvision",
    families=("vit",),
    keys={
        "stem.token": "class_token",
        "stem.positions": "encoder.pos_embedding",
        "stem.patch.{p}": "conv_proj.{p}",
        **{
            f"stages.0.{{u}}.{ours}": f"encoder.layers.encoder_layer_{{u}}.{theirs}"
            for ours, theirs in (
                ("attention.branch.norm.{p}", "ln_1.{p}"),
                ("attention.branch.attention.qkv.{p}", "self_attention.in_proj_{p}"),
                ("attention.branch.attention.proj.{p}", "self_attention.out_proj.{p}"),
                ("mlp.branch.norm.{p}", "ln_2.{p}"),
                ("mlp.branch.mlp.fc1.{p}", "mlp.0.{p}"),
                ("mlp.branch.mlp.fc2.{p}", "mlp.3.{p}"),
            )
        },
        "tail.{p}": "encoder.ln.{p}",
        "head.fc.{p}": "heads.head.{p}",
    },
    infer=infer.vit,
    prepare=rewrite(
        {r"mlp\.linear_1\.": "mlp.0.", r"mlp\.linear_2\.": "mlp.3."}
    ),  # as files of 2022 name them
    assumed={"heads": infer.HEADS},
    images=IMAGENET,
    notes=NORMALISED,
)

CONVNEXT = Layout(
    library="torchvision",
    families=("convnext",),
    keys={
        "stem.conv.{p}": "features.0.0.{p}",
        "stem.norm.{p}": "features.0.1.{p}",
        **{
            f"stages.{stage}.{ours}": f"features.{2 * stage}.{theirs}"
            for stage in range(1, 4)
            for ours, theirs in (("transition.norm.{p}", "0.{p}"), ("transition.conv.{p}", "1.{p}"))
        },
        **{
            f"stages.{stage}.{{u}}.{ours}": f"features.{2 * stage + 1}.{{u}}.{theirs}"
            for stage in range(4)
            for ours, theirs in (
                ("branch.conv.{p}", "block.0.{p}"),
                ("branch.norm.{p}", "block.2.{p}"),
                ("branch.fc1.{p}", "block.3.{p}"),
                ("branch.fc2.{p}", "block.5.{p}"),
                ("merge.gain", "layer_scale"),
            )
        },
        "head.pool.norm.{p}": "classifier.0.{p}",
        "head.fc.{p}": "classifier.2.{p}",
    },
    infer=infer.convnext,
    idle=infer.convnext_idle,
    dimensions={"stages.{s}.{u}.branch.fc{k}.weight": 2, "stages.{s}.{u}.merge.gain": 3},
    images=IMAGENET,
    notes=NORMALISED,
)

R3D = Layout(
    library="torchvision",
    families=("resnet3d",),
    keys={
        "stem.conv.{p}": "stem.0.{p}",
        "stem.norm.{p}": "stem.1.{p}",
        "stages.{s}.{u}.branch.conv{k}.{p}": "layer{s+1}.{u}.conv{k}.0.{p}",
        "stages.{s}.{u}.branch.norm{k}.{p}": "layer{s+1}.{u}.conv{k}.1.{p}",
        "stages.{s}.{u}.shortcut.conv.{p}": "layer{s+1}.{u}.downsample.0.{p}",
        "stages.{s}.{u}.shortcut.norm.{p}": "layer{s+1}.{u}.downsample.1.{p}",
        "head.fc.{p}": "fc.{p}",
    },
    infer=infer.resnet3d,
    fixed={"stem": "clip", "widths": (64, 128, 256, 512), "shortcut": "B"},
    images=Images(mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989)),
    notes=("clips normalised with the Kinetics mean and std, as its trainer does",),
)

LAYOUTS = (
    RESNET,
    DENSENET,
    GOOGLENET,
    VIT,
    CONVNEXT,
    R3D,
    *(_vgg(depths, norm) for depths in _VGG for norm in (False, True)),
)

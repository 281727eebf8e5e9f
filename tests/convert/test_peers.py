"""The peers' own networks with random weights: the same logits and gradients here, and theirs back from ours."""

import pytest

SMALL = (3, 64, 64)
# peer, name there, options there, name here, shape of an image
QUICK = [
    ("torchvision", "resnet18", {}, "resnet18", SMALL),
    ("torchvision.ResNet", "bottleneck", {"layers": [1, 1, 2, 1]}, "custom", SMALL),
    (
        "torchvision.ResNet",
        "bottleneck",
        {"layers": [1, 1, 1, 1], "groups": 8, "width_per_group": 4},
        "custom",
        SMALL,
    ),
    ("torchvision.ResNet", "bottleneck", {"layers": [1, 1, 1, 1], "width_per_group": 96}, "custom", SMALL),
    ("torchvision.DenseNet", "", {"block_config": (2, 3, 2, 2)}, "custom", SMALL),
    ("torchvision", "googlenet", {"init_weights": False}, "googlenet", SMALL),
    ("torchvision.R3D", "", {"layers": [1, 1, 1, 1]}, "custom", (3, 2, 16, 16)),
    (
        "torchvision.ViT",
        "",
        {
            "image_size": 32,
            "patch_size": 8,
            "num_layers": 2,
            "num_heads": 2,
            "hidden_dim": 128,
            "mlp_dim": 256,
        },
        "custom",
        (3, 32, 32),
    ),
    ("timm", "resnet18", {"in_chans": 1, "layers": (1, 1, 1, 1)}, "custom", (1, 64, 64)),
    ("timm", "resnest14d", {}, "resnest14", SMALL),
    ("timm", "resnest50d_4s2x40d", {"layers": [1, 1, 1, 1]}, "custom", SMALL),
    ("timm", "resnetv2_50", {"layers": [1, 2, 1, 1]}, "custom", SMALL),
    (
        "timm",
        "vit_tiny_patch16_224",
        {"img_size": 32, "patch_size": 8, "depth": 2},
        "custom",
        (3, 32, 32),
    ),
    ("timm", "seresnet18", {"layers": (1, 1, 1, 1)}, "custom", SMALL),
    ("timm", "seresnext50_32x4d", {"layers": (1, 1, 1, 1)}, "custom", SMALL),
    ("timm", "convnext_tiny", {"depths": (1, 2, 1, 1), "dims": (8, 16, 24, 32)}, "custom", SMALL),
]
WHOLE = [
    *(
        ("torchvision", name, {}, name, SMALL)
        for name in (
            "resnet34",
            "resnet50",
            "resnet101",
            "resnet152",
            "resnext50_32x4d",
            "resnext101_32x8d",
            "resnext101_64x4d",
            "wide_resnet50_2",
            "wide_resnet101_2",
            "densenet121",
            "densenet161",
            "densenet169",
            "densenet201",
            "vgg11",
            "vgg11_bn",
            "vgg13",
            "vgg13_bn",
            "vgg16",
            "vgg16_bn",
            "vgg19",
            "vgg19_bn",
        )
    ),
    *(
        (library, f"convnext_{size}", {}, f"convnext_{size}", SMALL)
        for library in ("torchvision", "timm")
        for size in ("tiny", "small", "base", "large")
    ),
    *(("timm", name, {}, name, SMALL) for name in ("seresnet18", "seresnet50", "seresnext50_32x4d")),
    ("torchvision", "r3d_18", {}, "r3d_18", (3, 4, 32, 32)),
    ("torchvision", "vit_b_16", {}, "vit_b_16", (3, 224, 224)),
    ("torchvision", "vit_b_32", {}, "vit_b_32", (3, 224, 224)),
    ("torchvision", "vit_l_16", {}, "vit_l_16", (3, 224, 224)),
    ("timm", "resnet50", {}, "resnet50", SMALL),
    ("timm", "resnext50_32x4d", {}, "resnext50_32x4d", SMALL),
    ("timm", "wide_resnet50_2", {}, "wide_resnet50_2", SMALL),
    ("timm", "resnest26d", {}, "resnest26", SMALL),
    ("timm", "resnest50d", {}, "resnest50", SMALL),
    ("timm", "resnest50d_1s4x24d", {}, "resnest50_fast_1s4x24d", SMALL),
    ("timm", "resnest50d_4s2x40d", {}, "resnest50_fast_4s2x40d", SMALL),
    ("timm", "resnest101e", {}, "resnest101", SMALL),
    ("timm", "resnest200e", {}, "resnest200", SMALL),
    ("timm", "resnest269e", {}, "resnest269", SMALL),
    ("timm", "resnetv2_50", {}, "preact_resnet50", SMALL),
    ("timm", "resnetv2_101", {}, "preact_resnet101", SMALL),
    ("timm", "resnetv2_152", {}, "preact_resnet152", SMALL),
    ("timm", "densenet121", {}, "densenet121", SMALL),
    ("timm", "vit_base_patch16_224", {}, "vit_b_16", (3, 224, 224)),
    ("timm", "vit_small_patch16_224", {}, "vit_s_16", (3, 224, 224)),
    ("timm", "vit_tiny_patch16_224", {}, "vit_ti_16", (3, 224, 224)),
]


@pytest.mark.parametrize(
    ("peer", "theirs", "options", "named", "shape"),
    [*QUICK, *(pytest.param(*row, marks=pytest.mark.slow) for row in WHOLE)],
)
def test_logits_and_gradients_are_the_peers(
    peers, trained, check_both_ways, peer, theirs, options, named, shape
):
    network = trained(peers[peer](theirs, num_classes=7, **options))
    weights = check_both_ways(network, peer.partition(".")[0], shape)
    assert weights.spec.name == named
    assert weights.spec.num_classes == 7

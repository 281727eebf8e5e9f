"""Weights that others publish, by name: a table, which imports no torch. ``residua.convert.hub`` fetches them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# where the files lie
SITES = {
    "torchvision": "https://download.pytorch.org/models",
    "timm": "https://github.com/huggingface/pytorch-image-models/releases/download",
    "akamaster": "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models",
}


@dataclass(frozen=True)
class HubFile:
    """One published file; its name carries the beginning of its SHA-256 after the last hyphen.

    ``top1`` is the accuracy that the publisher states, in percent, of the centre of an image whose shorter side has
    ``resize`` pixels; None where none stands beside the file.
    """

    file: str
    top1: float | None
    weights: str = "IMAGENET1K_V1"
    resize: int = 256
    dataset: str = "ImageNet-1K"
    sha256: str = ""  # the whole of it, where it is known
    folder: str = ""  # below the site

    @property
    def stated(self) -> str:
        """The beginning of its SHA-256 that the name states."""
        return Path(self.file).stem.rpartition("-")[2]


def _v2(file: str, top1: float) -> HubFile:
    return HubFile(file, top1, "IMAGENET1K_V2", resize=232)


def _cifar(file: str, top1: float, sha256: str = "") -> HubFile:
    return HubFile(file, top1, "CIFAR10", resize=32, dataset="CIFAR-10", sha256=sha256)


def _timm(file: str, weights: str, *, resize: int = 235, folder: str = "v0.1-rsb-weights") -> HubFile:
    return HubFile(file, None, weights, resize, folder=folder)


def _recipes(name: str, a1: str, a2: str, a3: str) -> tuple[HubFile, ...]:
    """The weights of the three recipes of Wightman et al. 2021, by the digits that their files state."""
    return (
        _timm(f"{name}_a1_0-{a1}.pth", "a1_in1k"),
        _timm(f"{name}_a2_0-{a2}.pth", "a2_in1k"),
        _timm(f"{name}_a3_0-{a3}.pth", "a3_in1k", resize=168),  # trained and tested at 160 pixels
    )


# As torchvision's enumerations of weights, timm's configurations and akamaster's README state them; the first of a name
# is its default.
TABLE: dict[str, dict[str, tuple[HubFile, ...]]] = {
    "torchvision": {
        "resnet18": (HubFile("resnet18-f37072fd.pth", 69.758),),
        "resnet34": (HubFile("resnet34-b627a593.pth", 73.314),),
        "resnet50": (_v2("resnet50-11ad3fa6.pth", 80.858), HubFile("resnet50-0676ba61.pth", 76.130)),
        "resnet101": (_v2("resnet101-cd907fc2.pth", 81.886), HubFile("resnet101-63fe2227.pth", 77.374)),
        "resnet152": (_v2("resnet152-f82ba261.pth", 82.284), HubFile("resnet152-394f9c45.pth", 78.312)),
        "resnext50_32x4d": (
            _v2("resnext50_32x4d-1a0047aa.pth", 81.198),
            HubFile("resnext50_32x4d-7cdf4587.pth", 77.618),
        ),
        "resnext101_32x8d": (
            _v2("resnext101_32x8d-110c445d.pth", 82.834),
            HubFile("resnext101_32x8d-8ba56ff5.pth", 79.312),
        ),
        "resnext101_64x4d": (HubFile("resnext101_64x4d-173b62eb.pth", 83.246, resize=232),),
        "wide_resnet50_2": (
            _v2("wide_resnet50_2-9ba9bcbe.pth", 81.602),
            HubFile("wide_resnet50_2-95faca4d.pth", 78.468),
        ),
        "wide_resnet101_2": (
            _v2("wide_resnet101_2-d733dc28.pth", 82.510),
            HubFile("wide_resnet101_2-32ee1156.pth", 78.848),
        ),
        "densenet121": (HubFile("densenet121-a639ec97.pth", 74.434),),
        "densenet161": (HubFile("densenet161-8d451a50.pth", 77.138),),
        "densenet169": (HubFile("densenet169-b2777c0a.pth", 75.600),),
        "densenet201": (HubFile("densenet201-c1103571.pth", 76.896),),
        "convnext_tiny": (HubFile("convnext_tiny-983f1562.pth", 82.520, resize=236),),
        "convnext_small": (HubFile("convnext_small-0c510722.pth", 83.616, resize=230),),
        "convnext_base": (HubFile("convnext_base-6075fbad.pth", 84.062, resize=232),),
        "convnext_large": (HubFile("convnext_large-ea097f82.pth", 84.414, resize=232),),
        "googlenet": (HubFile("googlenet-1378be20.pth", 69.778),),
        "vgg11": (HubFile("vgg11-8a719046.pth", 69.020),),
        "vgg11_bn": (HubFile("vgg11_bn-6002323d.pth", 70.370),),
        "vgg13": (HubFile("vgg13-19584684.pth", 69.928),),
        "vgg13_bn": (HubFile("vgg13_bn-abd245e5.pth", 71.586),),
        "vgg16": (HubFile("vgg16-397923af.pth", 71.592),),
        "vgg16_bn": (HubFile("vgg16_bn-6c64b313.pth", 73.360),),
        "vgg19": (HubFile("vgg19-dcbb9e9d.pth", 72.376),),
        "vgg19_bn": (HubFile("vgg19_bn-c79401a0.pth", 74.218),),
        "vit_b_16": (HubFile("vit_b_16-c867db91.pth", 81.072),),
        "vit_b_32": (HubFile("vit_b_32-d86f8d99.pth", 75.912),),
        "vit_l_16": (HubFile("vit_l_16-852ce7e3.pth", 79.662, resize=242),),
        "vit_l_32": (HubFile("vit_l_32-c7638314.pth", 76.972),),
        "r3d_18": (HubFile("r3d_18-b3b3357e.pth", 63.200, "KINETICS400_V1", 128, "Kinetics-400"),),
    },
    "timm": {
        "resnet18": _recipes("resnet18", "d63eafa0", "b61bd467", "40c531c8"),
        "resnet34": _recipes("resnet34", "46f8f793", "82d47d71", "a20cabb6"),
        "resnet50": _recipes("resnet50", "14fe96d1", "a2746f79", "59cae1ef"),
        "resnet101": _recipes("resnet101", "cdcb52a9", "6edb36c7", "1db14157"),
        "resnet152": _recipes("resnet152", "2eee8a7a", "b4c6978f", "134d4688"),
        "resnext50_32x4d": _recipes("resnext50_32x4d", "b5a91a1d", "efc76add", "3e450271"),
        "seresnet50": _recipes("seresnet50", "ffa00869", "850de0d9", "317ecd56"),
        "seresnext50_32x4d": (
            _timm("seresnext50_32x4d_racm-a304a460.pth", "racm_in1k", resize=256, folder="v0.1-weights"),
        ),
        "wide_resnet50_2": (
            _timm("wide_resnet50_racm-8234f177.pth", "racm_in1k", resize=256, folder="v0.1-weights"),
        ),
    },
    "akamaster": {
        "resnet20": (
            _cifar(
                "resnet20-12fca82f.th",
                91.73,
                "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8",
            ),
        ),
        "resnet32": (_cifar("resnet32-d509ac18.th", 92.63),),
        "resnet44": (_cifar("resnet44-014dd654.th", 93.10),),
        "resnet56": (
            _cifar(
                "resnet56-4bfd9763.th",
                93.39,
                "4bfd97631478d6b638d2764fd2baff3edb1d7d82252d54439343b6596b9b5367",
            ),
        ),
        "resnet110": (_cifar("resnet110-1d1ed7c2.th", 93.68),),
        "resnet1202": (_cifar("resnet1202-f3b1deed.th", 93.82),),
    },
}

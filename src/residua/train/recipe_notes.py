"""What each recipe is for, where its values come from, and what was measured with it here. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """Of one recipe; ``evidence`` is a path in the repository, empty where nothing was measured with it here."""

    suits: str
    source: str
    evidence: str = ""


_MODELS = "docs/models.md"
_CURVE = "benchmarks/results/time_to_accuracy.md"
_FFCV = (
    "the settings of FFCV's ResNet-50 (Leclerc et al. 2023, arXiv 2306.12517; github.com/libffcv/ffcv-imagenet, "
    "rn50_configs): published top-1 {published} with its blur pooling and with mirror images at test, at 256 px"
)
_JORDAN = "Jordan 2024 (arXiv 2404.00498: reflected crops, alternating mirror images, one cycle to zero)"

NOTES: dict[str, Note] = {
    "quick": Note(
        "small images; of photos its length, batch and rate follow from their number",
        "one cycle on lines, as Page 2018 (How to train your ResNet)",
        "benchmarks/results/accuracy.md",
    ),
    "digits": Note("the bundled digits", "as quick, longer", "benchmarks/results/accuracy.md"),
    "vit": Note("vision transformers on small images", "Touvron et al. 2021 (DeiT), Table 9", _MODELS),
    "language": Note("language models", "Brown et al. 2020, appendix B", _MODELS),
    "gan": Note(
        "the small GAN on the digits", "as miyato2018-cifar, two critic steps instead of five", _MODELS
    ),
    "finetune": Note(
        "classifiers that start from trained weights",
        "Howard & Ruder 2018 (ULMFiT): the head first, then rates by depth",
    ),
    "finetune-fast": Note(
        "the same with about a third of the images",
        "as finetune, with a mean of the weights (Polyak & Juditsky 1992)",
    ),
    "scenes": Note("the small detector and segmenter", "AdamW and a cosine, as vit", _MODELS),
    "table": Note("residual MLPs on rows of a table", "Gorishniy et al. 2021, appendix F", _MODELS),
    "clips": Note("3-D ResNets on short clips", "as quick, shorter", _MODELS),
    "ode": Note("neural ODEs", "as quick, at twice the rate", _MODELS),
    "fast": Note("CIFAR ResNets of depth 20 to 110", f"{_JORDAN}; rate and decay as of Page 2018"),
    "fast-muon": Note(
        "the same nets", f"{_JORDAN}; Muon (Jordan 2024, kellerjordan.github.io/posts/muon) for convolutions"
    ),
    "fast-wide": Note(
        "Wide ResNets on CIFAR",
        f"{_JORDAN}, whose network for 96 % also has cutout, label smoothing, a higher rate of biases and look-ahead",
    ),
    "he2015-cifar": Note("CIFAR ResNets", "He et al. 2015, sec. 4.2", "docs/claims.md"),
    "he2015-cifar-110": Note("CIFAR ResNet-110", "He et al. 2015, sec. 4.2"),
    "he2015-imagenet": Note("ResNets on ImageNet", "He et al. 2015, sec. 3.4, as fb.resnet.torch reads it"),
    "leclerc2023-imagenet-16": Note(
        "ResNet-50 on ImageNet, --set data.image_size=256", _FFCV.format(published="73.8 %")
    ),
    "leclerc2023-imagenet-32": Note("the same, longer", _FFCV.format(published="76.6 %")),
    "leclerc2023-imagenet-88": Note("the same, longest", _FFCV.format(published="78.4 %")),
    "miyato2018-cifar": Note("SNGAN's pair for CIFAR", "Miyato et al. 2018, sec. 4 and appendix"),
    "zagoruyko2016-cifar": Note(
        "Wide ResNets on CIFAR", "Zagoruyko & Komodakis 2016, Implementation details"
    ),
    "huang2016-cifar": Note("CIFAR ResNets with stochastic depth", "Huang et al. 2016, sec. 4"),
    "huang2017-cifar": Note("DenseNets on CIFAR", "Huang et al. 2017, sec. 4.2"),
}

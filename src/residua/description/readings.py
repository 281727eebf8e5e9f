"""Where codes of the same pre-activation network part, told of one network: what its shortcuts carry.

He et al. 2016 (appendix) put the first norm and ReLU before the first split; codes differ in that, and in what
a shortcut that changes shape is given. Parameter counts are equal, outputs are not.
"""

from __future__ import annotations

from residua.models.resnet import ResNetSpec
from residua.models.wide_resnet import earlier_reading


def readings(spec: ResNetSpec) -> list[str]:
    """What other codes of this network compute otherwise; nothing unless it is pre-activated with shortcuts."""
    if spec.order.kind != "full_preact" or spec.merge.plain:
        return []
    keeps_shape = spec.out_widths[0] == spec.stem_channels
    first_is_identity = keeps_shape and spec.shortcut.kind != "C"
    parameter_free = spec.shortcut.kind in ("A", "A-split")
    rules = (
        (first_is_identity, earlier_reading(spec) or _first_shortcut(spec)),
        (
            parameter_free and len(set(spec.out_widths)) > 1,
            "where the shape changes, the shortcut subsamples the sum itself; fb.resnet.torch subsamples what the "
            "unit's first norm and ReLU give, and pytorchcv and pytorch-cifar project that (shortcut = B)",
        ),
        (
            parameter_free and spec.stem.kind == "cifar" and spec.unit.kind == "bottleneck",
            "He's own code (resnet-1k-layers) projects there, with the stride on the first 1x1: "
            "shortcut = B, stride_on = 1x1",
        ),
    )
    return [text for applies, text in rules if applies]


def _first_shortcut(spec: ResNetSpec) -> str:
    if spec.stem.bare:
        return (
            "the first shortcut starts at the stem's convolution, as in the codes of Zagoruyko & Komodakis 2016, "
            "pytorchcv and pytorch-cifar; He et al. 2016 (appendix) let it start after the first norm and "
            "ReLU: stem = cifar"
        )
    elsewhere = "pytorchcv and pytorch-cifar at the stem's convolution: stem = cifar-conv"
    if spec.stem.kind != "cifar":
        elsewhere = "timm before them, at the pooled convolution"
    return (
        "the first shortcut starts after the stem's norm and ReLU (He et al. 2016, appendix; fb.resnet.torch); in "
        f"{elsewhere}"
    )

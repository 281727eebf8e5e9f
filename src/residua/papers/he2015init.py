"""He, Zhang, Ren & Sun 2015b, "Delving Deep into Rectifiers", beside Glorot & Bengio 2010: variance by depth."""

from __future__ import annotations

from typing import Any

from residua.experiments import Arm, Experiment, Paper
from residua.experiments.rules import Rule, between
from residua.experiments.scales import untrained
from residua.parts import register

_MEASURED = (
    "Factor by which one layer (one unit) multiplies the variance of the signal, and back of the gradient: the "
    "geometric mean of the steps that keep the shape, at initialisation, without norms, 4 images, float64; "
    "the mean of 4 draws a seed."
)
_WIDE = (
    "The theory is of wide layers without borders: networks of 64, 128 and 256 channels, as wide as the paper's first "
    "layers, whose convolutions wrap round; he2015init/narrow has the CIFAR nets as they are."
)
_BARE = {"norms": False, "borders": False, "images": 4, "draws": 4}
_TIMES_4 = {"widths": (64, 128, 256)}


def _arm(name: str, model: str, init: str, *, wide: bool = True, **options: Any) -> Arm:
    return Arm(name, model, changes=_TIMES_4 if wide else {}, options={**_BARE, "init": init, **options})


def _factor(arm: str, low: float, high: float, text: str, step: str = "layer") -> dict[str, Rule]:
    return {
        f"{text}, {way}": between(f"{step}_factor{suffix}", arm, low, high)
        for way, suffix in (("forward", ""), ("backward", "_back"))
    }


_PLAIN = Experiment(
    id="he2015init/plain",
    title="He's initialisation keeps the variance of a plain net through ReLU; Xavier's halves it",
    zh="He 初始化在普通网络的 ReLU 层之间保持方差；Xavier 初始化使其减半",
    claims=("T10",),
    where="He et al. 2015b, sec. 2.2, eq. 10 and 14, Figure 3; Glorot & Bengio 2010, eq. 12",
    settings=untrained(
        (
            _arm("plain-20, He", "cifar_plain20", "He"),
            _arm("plain-20, Xavier", "cifar_plain20", "Xavier"),
        ),
        {
            **_factor("plain-20, He", 0.9, 1.1, "He: a layer keeps the variance"),
            **_factor("plain-20, Xavier", 0.4, 0.6, "Xavier: a layer halves it"),
        },
    ),
    look="signal",
    measures=("layer_factor", "layer_factor_back"),
    figure="series",
    caveats=(_MEASURED, _WIDE),
)
_NARROW, _PADDED = "plain-56, convolutions that wrap round", "plain-56, as it is: zero padding"
_AS_BUILT = Experiment(
    id="he2015init/narrow",
    title="The CIFAR nets as they are built: zero padding takes a part of the variance in every layer",
    zh="按原样构建的 CIFAR 网络：零填充使每一层损失一部分方差",
    claims=("T10",),
    where="He et al. 2015b, sec. 2.2, applied to the nets of He et al. 2015, sec. 4.2",
    settings=untrained(
        (
            _arm(_NARROW, "cifar_plain56", "He", wide=False),
            _arm(_PADDED, "cifar_plain56", "He", wide=False, borders=True),
        ),
        {
            **_factor(_NARROW, 0.9, 1.1, "16 to 64 channels, no borders: a layer keeps the variance"),
            **_factor(
                _PADDED, 0.9, 1.1, "with zero padding on maps of 8 px and less: a layer keeps the variance"
            ),
        },
    ),
    look="signal",
    measures=("layer_factor", "layer_factor_back"),
    figure="series",
    caveats=(
        _MEASURED,
        "The same bounds as in he2015init/plain, which has the conditions of the theory. Padded zeros are 16 % of what "
        "a 3x3 convolution sees of 8 x 8 pixels, and 56 % of 2 x 2: digits are 8 px wide, CIFAR's images lose less.",
    ),
)
_RESIDUAL = Experiment(
    id="he2015init/residual",
    title="In a residual net without norms He's initialisation does not keep the variance: every unit doubles it",
    zh="在没有归一化的残差网络中，He 初始化并不保持方差：每个单元使其加倍",
    claims=("T10",),
    where="He et al. 2015b, sec. 2.2, applied to sums",
    settings=untrained(
        (
            _arm("pre-activation ResNet-20, He", "cifar_preact_resnet20", "He"),
            _arm("ResNet-20, He", "cifar_resnet20", "He"),
            _arm("ResNet-20, He, with norms", "cifar_resnet20", "He", norms=True),
            _arm("narrow ResNet-56, He", "cifar_resnet56", "He", wide=False),
        ),
        {
            **_factor(
                "pre-activation ResNet-20, He", 1.6, 2.4, "a pre-activation unit about doubles it", "unit"
            ),
            **_factor("ResNet-20, He", 1.6, 2.4, "so does an original unit", "unit"),
        },
    ),
    look="signal",
    measures=("unit_factor", "unit_factor_back"),
    figure="series",
    caveats=(
        _MEASURED,
        _WIDE,
        "A sum adds the variances of shortcut and branch, and the branch keeps that of its input.",
    ),
)

register(Paper(kind="he2015init", year=2015, experiments=(_PLAIN, _AS_BUILT, _RESIDUAL)))

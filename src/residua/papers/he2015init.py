"""He, Zhang, Ren & Sun 2015b, "Delving Deep into Rectifiers", beside Glorot & Bengio 2010: variance by depth."""

from __future__ import annotations

from residua.papers.bounds import between
from residua.papers.experiment import Arm, Experiment, Setting

_MEASURED = (
    "Factor by which one layer (one unit) multiplies the variance of the signal, and back of the gradient: the "
    "geometric mean of the steps that keep the shape, at initialisation, without norms, 64 images, float64."
)
_BORDERS = "The theory counts no borders: convolutions wrap round. The arm with zero padding shows what borders take."
_BARE = {"norms": False, "borders": False}

_PLAIN = Experiment(
    id="he2015init/plain",
    title="He's initialisation keeps the variance of a plain net through ReLU; Xavier's halves it",
    zh="He 初始化在普通网络的 ReLU 层之间保持方差；Xavier 初始化使其减半",
    claims=("T10",),
    where="He et al. 2015b, sec. 2.2, eq. 10 and 14, Figure 3; Glorot & Bengio 2010, eq. 12",
    settings={
        "quick": Setting(
            arms=(
                Arm(name="plain-56, He", model="cifar_plain56", options={**_BARE, "init": "He"}),
                Arm(name="plain-56, Xavier", model="cifar_plain56", options={**_BARE, "init": "Xavier"}),
                Arm(
                    name="plain-56, He, zero padding",
                    model="cifar_plain56",
                    options={"norms": False, "init": "He"},
                ),
            ),
            rules=(
                *between(
                    "layer_factor", "plain-56, He", 0.9, 1.1, text="He, forward: a layer keeps the variance"
                ),
                *between(
                    "layer_factor_back", "plain-56, He", 0.9, 1.1, text="He, backward: so of the gradient"
                ),
                *between(
                    "layer_factor", "plain-56, Xavier", 0.4, 0.6, text="Xavier, forward: a layer halves it"
                ),
                *between(
                    "layer_factor_back", "plain-56, Xavier", 0.4, 0.6, text="Xavier, backward: halves it"
                ),
            ),
        ),
    },
    look="signal",
    measures=("layer_factor", "layer_factor_back"),
    figure="series",
    caveats=(_MEASURED, _BORDERS),
)
_RESIDUAL = Experiment(
    id="he2015init/residual",
    title="In a residual net without norms He's initialisation does not keep the variance: every unit doubles it",
    zh="在没有归一化的残差网络中，He 初始化并不保持方差：每个单元使其加倍",
    claims=("T10",),
    where="He et al. 2015b, sec. 2.2, applied to sums",
    settings={
        "quick": Setting(
            arms=(
                Arm(
                    name="pre-activation ResNet-56, He",
                    model="cifar_preact_resnet56",
                    options={**_BARE, "init": "He"},
                ),
                Arm(name="ResNet-56, He", model="cifar_resnet56", options={**_BARE, "init": "He"}),
                Arm(
                    name="ResNet-56, He, with norms",
                    model="cifar_resnet56",
                    options={"init": "He", "borders": False},
                ),
            ),
            rules=(
                *between(
                    "unit_factor",
                    "pre-activation ResNet-56, He",
                    1.6,
                    2.4,
                    text="a pre-activation unit about doubles it, forward",
                ),
                *between(
                    "unit_factor_back",
                    "pre-activation ResNet-56, He",
                    1.6,
                    2.4,
                    text="and the gradient's, backward",
                ),
                *between("unit_factor", "ResNet-56, He", 1.6, 2.4, text="so does an original unit, forward"),
            ),
        ),
    },
    look="signal",
    measures=("unit_factor", "unit_factor_back"),
    figure="series",
    caveats=(
        _MEASURED,
        _BORDERS,
        "A sum adds the variances of shortcut and branch, and the branch keeps that of its input.",
    ),
)

EXPERIMENTS = (_PLAIN, _RESIDUAL)

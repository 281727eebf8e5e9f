"""How shortcut and branch are joined, compared at equal cost: the sum, scalings, gates, and what came after 2016.

He et al. 2016 (sec. 3) compare the first; the others were each compared with the sum by their authors, so that none of
them is claimed beside all of these.
"""

from __future__ import annotations

from residua.experiments import Arm, Claim, Experiment, Paper
from residua.experiments.rules import alike, greater
from residua.experiments.scales import not_judged, quick
from residua.parts import register

_SUM = "sum"
_HURT = {
    "scaling 0.5 | 0.5": Arm("scaling 0.5 | 0.5", "cifar_resnet32_constant_scaling"),
    "exclusive gating": Arm("exclusive gating", "cifar_resnet32_exclusive_gating"),
}
_LATER = {
    name: Arm(name, "cifar_resnet32", changes={"merge": merge})
    for name, merge in (
        ("ReZero", "skip_init"),
        ("LayerScale", "layer_scale(start=0.1)"),
        ("hyper-connections", "hyper(n=2, weights='static')"),
    )
}
_COMPARED = Experiment(
    id="merges/compared",
    title="The sum, scalings, gates, ReZero, LayerScale and hyper-connections at equal cost",
    zh="同等代价下比较：相加、缩放、门控、ReZero、LayerScale 与超连接",
    claims=(
        Claim(
            id="M1",
            text="a shortcut and a branch are best joined by their plain sum: scalings and gates train worse",
            zh="捷径与分支最好直接相加：缩放和门控训练得更差",
        ),
    ),
    where="He et al. 2016, sec. 3; Bachlechner et al. 2020; Touvron et al. 2021 (CaiT); Zhu et al. 2024",
    settings=quick(
        (Arm(_SUM, "cifar_resnet32"), *_HURT.values(), *_LATER.values()),
        {
            f"{name}: a higher training error than the sum's": greater(
                "train_error", name, _SUM, smallest=0.5
            )
            for name in _HURT
        }
        | {f"{name}: within a point of the sum": alike("train_error", name, _SUM, 1.0) for name in _LATER},
    )
    | not_judged("the authors trained other networks each, on other data"),
    measures=("train_error", "test_error", "early_train_error", "parameters", "multiply_adds"),
    figure="curves",
    caveats=(
        "32 layers, batch norm in every branch, as He et al. 2016 compare; ReZero and hyper-connections were made for "
        "Transformers, LayerScale for deep ones of images. Multiply-adds agree within 6 %: gates are 1x1 convolutions, "
        "the others cost none to speak of. Of Zhu et al. 2024 the abstract was seen; no figure of the later papers is "
        "quoted.",
    ),
)

register(Paper(kind="merges", year=2024, experiments=(_COMPARED,)))

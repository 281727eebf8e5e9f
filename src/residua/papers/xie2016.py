"""Xie, Girshick, Dollár, Tu & He 2016, "Aggregated Residual Transformations for Deep Neural Networks"."""

from __future__ import annotations

from residua.experiments import Arm, Experiment, Paper, PublishedRow
from residua.experiments.rules import greater
from residua.experiments.scales import not_judged, quick, small
from residua.parts import register

_IMAGENET = "the published figures are of ImageNet, for which there is no data here"
_CARDINALITY = Experiment(
    id="xie2016/cardinality",
    title="Cardinality beats width at the same number of multiply-adds",
    zh="乘加次数相同时，增加基数优于加宽",
    claims=("X13",),
    where="Xie et al. 2016, sec. 5.1, Table 3",
    settings=quick(
        (
            # 944,640 multiply-adds and 98,074 parameters, against 925,184 and 91,066
            Arm("1 x 12d", "resnext_tiny", changes={"cardinality": 1, "path_width": 12}),
            Arm("4 x 4d", "resnext_tiny"),
        ),
        {
            "four paths of 4 channels have a lower test error than one of 12": greater(
                "test_error", "1 x 12d", "4 x 4d", smallest=0.5
            )
        },
    )
    | not_judged(_IMAGENET),
    measures=("test_error", "train_error", "parameters", "multiply_adds"),
    figure="curves",
    published=tuple(
        PublishedRow("resnext.t3", model, "top1_err", where={"setting": setting})
        for model, setting in (
            ("ResNet-50", "1x64d"),
            ("ResNeXt-50", "2x40d"),
            ("ResNeXt-50", "4x24d"),
            ("ResNeXt-50", "8x14d"),
            ("ResNeXt-50", "32x4d"),
        )
    ),
    caveats=(
        "Published: 50 layers on ImageNet, 1-crop top-1. Here 11 layers; multiply-adds agree within 2.1 %.",
    ),
)
_SHORTCUTS = Experiment(
    id="xie2016/shortcuts",
    title="A ResNeXt without its shortcuts is worse",
    zh="去掉捷径的 ResNeXt 更差",
    claims=("X1",),
    where="Xie et al. 2016, sec. 5.1, 'Residual connections'",
    settings=not_judged(
        "29 layers with narrow paths are far from a plateau after ten epochs of the digits", "quick"
    )
    | small(
        tuple(
            Arm(name, "resnext_tiny", changes={"depths": (3, 3, 3), **merge})
            for name, merge in (("with", {}), ("without", {"merge": "branch_only"}))
        ),
        {
            "29 layers without shortcuts have the higher training error": greater(
                "train_error", "without", "with", smallest=0.5
            ),
            "and the higher test error": greater("test_error", "without", "with", smallest=0.5),
        },
    )
    | not_judged(_IMAGENET),
    measures=("train_error", "test_error"),
    figure="curves",
    published=tuple(
        PublishedRow("resnext.residual", model, key)
        for model in ("ResNet-50 (1x64d)", "ResNeXt-50 (32x4d)")
        for key in ("with_residual", "without_residual")
    ),
    caveats=(
        "Published: 50 layers on ImageNet, 1-crop top-1 error. Here 29 layers with narrow paths on CIFAR-10.",
    ),
)

register(Paper(kind="xie2016", year=2016, experiments=(_CARDINALITY, _SHORTCUTS)))

"""He et al. 2015: networks of other depths, shortcuts, units and schedules, trained side by side."""

from __future__ import annotations

from dataclasses import replace

from residua.experiments import Arm, Experiment, PublishedRow
from residua.experiments.rules import EnsembleGain, alike, greater
from residua.experiments.scales import net, nets, not_judged, quick, small
from residua.papers.he2015.protocol import NEEDS_IMAGENET, as_published

_PLAIN_AND_RESIDUAL = nets("plain-20", "plain-56", "ResNet-20", "ResNet-56")
# six depths, a quarter as wide: what is left to gain where a network errs on one image in a hundred, 360 cannot tell
_ENSEMBLE = tuple(f"ResNet-{depth}" for depth in (8, 14, 20, 26, 32, 38))
_NARROW = {"widths": (4, 8, 16), "stem.width": 4}


def _top1(model: str, table: str = "he2015.t3", key: str = "top1_err") -> PublishedRow:
    return PublishedRow(table, model, key)


_SHORTCUTS = (
    net("plain-20"),
    *(Arm(f"option {option}", "cifar_resnet20", changes={"shortcut": option}) for option in "ABC"),
)
_EARLY = {
    f"{depth} layers: over the first quarter of the epochs the ResNet's training error is lower": greater(
        "early_train_error", f"plain-{depth}", f"ResNet-{depth}", smallest=1.0
    )
    for depth in (20, 56)
}
_REFERENCES = (net("ResNet-20"), Arm("VGG, small", "vgg_tiny"), Arm("GoogLeNet, small", "googlenet_tiny"))

EXPERIMENTS = (
    Experiment(
        id="he2015/shortcuts",
        title="Shortcut options A, B and C",
        zh="捷径方案 A、B 与 C",
        claims=("X3",),
        where="He et al. 2015, sec. 4.1, Table 3",
        settings=quick(
            _SHORTCUTS,
            {
                "B is more accurate than A": greater("test_error", "option A", "option B", smallest=0.5),
                "C is more accurate than B": greater("test_error", "option B", "option C", smallest=0.5),
                # Table 3: 0.84 points lie between A and C, 3.5 between the plain net and A
                "A and C are less than a point apart: A suffices": alike(
                    "test_error", "option A", "option C", 1.0
                ),
                "even A is better than no shortcut": greater(
                    "test_error", "plain-20", "option A", smallest=0.5
                ),
            },
        )
        | not_judged(NEEDS_IMAGENET),
        measures=("test_error", "train_error", "parameters"),
        published=(*(_top1(f"ResNet-34 {option}") for option in "ABC"), _top1("plain-34")),
        caveats=(
            "Table 3 is ResNet-34 on ImageNet, 10-crop; its CIFAR nets have option A only. Measured here: 20 layers.",
        ),
    ),
    Experiment(
        id="he2015/convergence",
        title="Residual nets converge faster at the early stage",
        zh="残差网络在早期收敛更快",
        claims=("X6",),
        where="He et al. 2015, sec. 4.1, Figure 4",
        settings=quick(_PLAIN_AND_RESIDUAL, _EARLY)
        | small(_PLAIN_AND_RESIDUAL, _EARLY)
        | as_published(_PLAIN_AND_RESIDUAL, _EARLY),
        measures=("early_train_error", "train_error"),
        figure="curves",
        caveats=("The paper says so of 18 layers on ImageNet, where both nets end equally accurate.",),
    ),
    Experiment(
        id="he2015/references",
        title="ResNet beside VGG and GoogLeNet on the same images",
        zh="同一数据上的 ResNet、VGG 与 GoogLeNet",
        claims=("X8",),
        where="He et al. 2015, sec. 4.1, Tables 3 and 4",
        settings=quick(
            _REFERENCES,
            {
                "ResNet errs less than VGG": greater("test_error", "VGG, small", "ResNet-20", smallest=0.5),
                "ResNet errs less than GoogLeNet": greater(
                    "test_error", "GoogLeNet, small", "ResNet-20", smallest=0.5
                ),
            },
        )
        | not_judged(NEEDS_IMAGENET),
        measures=("test_error", "parameters", "multiply_adds"),
        published=(
            *(_top1(model) for model in ("VGG-16", "PReLU-net", "ResNet-50", "ResNet-152")),
            _top1("GoogLeNet", key="top5_err"),
            *(_top1(m, "he2015.t4") for m in ("VGG (v5)", "PReLU-net", "ResNet-50", "ResNet-152")),
        ),
        caveats=(
            "Small members of the families at unequal cost; VGG and GoogLeNet with batch norm, which the published "
            "ones lack. PReLU-net stands as a published row only. Table 3 is 10-crop, Table 4 multi-scale.",
        ),
    ),
    Experiment(
        id="he2015/ensemble",
        title="Six networks of different depth err less together than alone",
        zh="六个不同深度的网络集成后误差更低",
        claims=("X9",),
        where="He et al. 2015, sec. 4.1, Table 5",
        settings=quick(
            [replace(arm, changes=_NARROW) for arm in nets(*_ENSEMBLE)],
            {
                f"averaging the probabilities of six networks errs less than {arm} alone": EnsembleGain(
                    _ENSEMBLE, than=arm, smallest=0.25
                )
                for arm in _ENSEMBLE
            },
        )
        | not_judged(NEEDS_IMAGENET),
        look="probabilities",
        published=(
            _top1("ResNet (ILSVRC'15)", "he2015.t5", "top5_err"),
            _top1("ResNet-152", "he2015.t4", "top5_err"),
        ),
        observations=("ensemble-composition",),
        caveats=(
            "3.57 % is top-5, multi-scale, on ILSVRC's test set; no single network has it.",
            "The ensemble is held against each of its members, and so against the best; at the quick scale of nets a "
            "quarter as wide, which err often enough that 360 images can tell.",
        ),
    ),
)

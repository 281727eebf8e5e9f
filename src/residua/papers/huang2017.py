"""Huang, Liu, van der Maaten & Weinberger 2017, "Densely Connected Convolutional Networks"; and reuse in ResNets."""

from __future__ import annotations

from residua.experiments import Arm, Experiment, Paper, PublishedRow
from residua.experiments.rules import Reading, above, below, greater, published_errors
from residua.experiments.scales import nets, paper, quick
from residua.parts import register

_PARAMETERS = Experiment(
    id="huang2017/parameters",
    title="A DenseNet makes more of the same number of parameters than a ResNet",
    zh="参数量相同时，DenseNet 优于 ResNet",
    claims=("T12",),
    where="Huang et al. 2017, sec. 4.3 and 5, Table 2 and Figure 4",
    settings=quick(
        (
            # 31,989 and 32,318 parameters
            Arm("ResNet-20", "cifar_resnet20", changes={"widths": (5, 11, 22)}),
            Arm("DenseNet-BC-22", "densenet_tiny"),
        ),
        {
            "at the same number of parameters the DenseNet has the lower test error": greater(
                "test_error", "ResNet-20", "DenseNet-BC-22", smallest=0.5
            )
        },
    )
    | paper(
        (Arm("ResNet-110", "cifar_resnet110"), Arm("DenseNet (L=40, k=12)", "densenet_40_12")),
        {
            "with 1.0 M parameters against 1.7 M the DenseNet has the lower test error": greater(
                "test_error", "ResNet-110", "DenseNet (L=40, k=12)", smallest=0.5
            ),
            # a single run is printed; runs of such networks spread by 0.1 to 0.2
            **published_errors({"DenseNet (L=40, k=12)": 5.24}, 0.4),
        },
        "huang2017-cifar",
        seeds=4,
    ),
    measures=("test_error", "train_error", "parameters"),
    figure="curves",
    published=(
        PublishedRow("densenet.t2", "DenseNet (L=40, k=12)", "c10_plus", "DenseNet (L=40, k=12)"),
        PublishedRow("densenet.t2quoted", "ResNet-110", "c10_plus", "ResNet-110"),
        PublishedRow("densenet.t2", "DenseNet-BC (L=100, k=12)", "c10_plus"),
    ),
    caveats=(
        "Equal parameters are not equal work: the small DenseNet takes three times the multiply-adds of the ResNet.",
    ),
)
_TRAINED, _UNTRAINED = "DenseNet-BC-22, trained", "DenseNet-BC-22, untrained"
_DENSE = Experiment(
    id="huang2017/sources",
    title="Layers of a DenseNet use the features of all layers before them",
    zh="DenseNet 的层使用其前面所有层的特征",
    claims=("T12",),
    where="Huang et al. 2017, sec. 5, Figure 5",
    settings=quick(
        (
            Arm(_TRAINED, "densenet_tiny"),
            # its norms see an epoch of images, its weights stay where they began
            Arm(_UNTRAINED, "densenet_tiny", recipe={"epochs": 1, "lr": 1e-12}),
        ),
        {
            "layers that lose what entered their block err more, which they have learned to": greater(
                "cut_input", _TRAINED, _UNTRAINED, by=5.0, smallest=2.0
            ),
            "so do layers that lose the layer just before them": greater(
                "cut_last", _TRAINED, _UNTRAINED, by=5.0, smallest=2.0
            ),
        },
    ),
    look="source_lesions",
    measures=("error", "cut_input", "cut_last", "weight_of_input", "weight_of_last_layer"),
    figure="bars",
    caveats=(
        "The paper shows the mean absolute weight of each source of DenseNet-40-12 on CIFAR-10 as a picture. Weights "
        "alone tell nothing here: untrained they are as even as the picture. So a source is taken from all layers "
        "that have several, and the error says whether it was used.",
        "The rise of the error is in points; by 5 points is residua's reading of being used.",
    ),
)
_RESNETS = Experiment(
    id="huang2017/residual-reuse",
    title="In residual nets low-level features travel to high layers",
    zh="残差网络中低层特征传到高层",
    claims=("T12",),
    where="popular texts; He et al. 2015, sec. 3.1; Kornblith et al. 2019",
    settings=quick(
        (
            *nets("ResNet-20", "ResNet-56", images=128, panel=1),
            *nets("plain-20", "plain-56", images=128, panel=0),
        ),
        {
            "ResNet-56: branches are smaller than their shortcuts": below(
                "mean_ratio", "ResNet-56", 1.0, smallest=0.05
            ),
            "a residual unit's output is more like its input than a plain unit's (20 layers)": greater(
                "mean_cka", "ResNet-20", "plain-20", smallest=0.005
            ),
            "the last unit's output is more like the first one's than in the plain net (20 layers)": greater(
                "cka_first_last", "ResNet-20", "plain-20", smallest=0.05
            ),
            "travel straight: in ResNet-56 the last unit's output is still like the first one's (CKA)": Reading(
                above("cka_first_last", "ResNet-56", 0.5, smallest=0.05)
            ),
        },
    ),
    look="reuse",
    measures=("mean_ratio", "mean_cka", "cka_first_last"),
    figure="series",
    caveats=(
        "Ratio: L2 norm of the branch over that of the shortcut, at the sum. CKA: linear, debiased, on 128 test "
        "images. plain-56 hardly trains in ten epochs: it stands here to be seen, no statement rests on it.",
    ),
)

register(Paper(kind="huang2017", year=2017, experiments=(_PARAMETERS, _DENSE, _RESNETS)))

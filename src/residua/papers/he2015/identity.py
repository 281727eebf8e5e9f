"""He et al. 2015: units that are the identity, by construction and by training, and units that are a single matrix."""

from __future__ import annotations

from residua.experiments import Arm, Experiment
from residua.experiments.rules import at_least, at_most, below, exactly, greater
from residua.experiments.scales import exact, nets, quick, untrained

_PLAIN_AND_RESIDUAL = nets("plain-20", "plain-56", "ResNet-20", "ResNet-56")
_ROUNDING = 1e-10  # of float64, with room
_ORIGINAL, _PREACT = "original unit", "pre-activation unit"

EXPERIMENTS = (
    Experiment(
        id="he2015/identity",
        title="With F = 0 a unit is the identity: added depth can change nothing",
        zh="F = 0 时单元即恒等映射：增加的深度可以什么都不改变",
        claims=("T7",),
        where="He et al. 2015, sec. 1 and 3.1",
        settings=quick(
            _PLAIN_AND_RESIDUAL,
            {
                f"six more units with F = 0 leave every logit of a trained {name} as it was": exactly(
                    "largest_change", name, 0
                )
                for name in ("ResNet-20", "ResNet-56")
            },
            fixed=True,
        ),
        look="deepened",
        measures=("largest_change", "error_change", "train_error"),
        caveats=(
            "F = 0 is the last batch norm's scale and offset set to zero. Exact because the activations before the "
            "sum are not negative; where the shape changes no unit can be the identity. That depth can cost nothing "
            "is a statement about networks that exist, not about what an optimiser finds: he2015/degradation and "
            "he2015/constructed are about that.",
        ),
    ),
    Experiment(
        id="he2015/zero-branch",
        title="F = 0 leaves what stands after the addition: the unit of 2015 is then a ReLU, not the identity",
        zh="F = 0 时，相加之后的部分仍然存在：2015 年的单元此时是 ReLU，而非恒等映射",
        claims=("T7",),
        where="He et al. 2015, sec. 3.1; He et al. 2016, sec. 3",
        settings=exact(
            (
                Arm(_ORIGINAL, "cifar_resnet20"),
                Arm(_PREACT, "cifar_preact_resnet20"),
            ),
            {
                "the original unit changes maps of either sign": at_least("changed", _ORIGINAL, 0.1),
                "exactly as a ReLU does": exactly("relu_error", _ORIGINAL, 0),
                "and none without negative values, which is all that it ever gets": exactly(
                    "changed_positive", _ORIGINAL, 0
                ),
                "the pre-activation unit changes nothing at all": exactly("changed", _PREACT, 0),
            },
        ),
        look="zero_branch",
        measures=("changed", "changed_share", "changed_positive", "relu_error"),
        caveats=(
            "Popular: 'in the worst case the block is the identity'. That is exact where nothing stands after the "
            "addition, and holds for the unit of 2015 because its input has gone through a ReLU already.",
        ),
    ),
    Experiment(
        id="he2015/linear-layer",
        title="One linear layer with a shortcut is one matrix, W + I",
        zh="只有一个线性层的残差单元就是一个矩阵 W + I",
        claims=("T8",),
        where="He et al. 2015, sec. 3.2",
        settings=exact(
            (
                Arm("one linear layer a unit", options={"layers": 1}),
                Arm("two layers and a ReLU a unit", options={"layers": 2}),
            ),
            {
                "nine such units are the product of nine W + I, to rounding": at_most(
                    "matrix_error", "one linear layer a unit", _ROUNDING
                ),
                "so a plain linear layer can do what such a unit does: nothing is gained": at_most(
                    "nonlinearity", "one linear layer a unit", _ROUNDING
                ),
                "with two layers and a ReLU between them no matrix does the same": at_least(
                    "nonlinearity", "two layers and a ReLU a unit", 0.1
                ),
            },
        ),
        look="linear_unit",
        measures=("matrix_error", "nonlinearity"),
        observations=("onelayer",),
        caveats=(
            "Random weights, 16 wide, float64. Convolutions with batch norm and ReLU, one a unit, are another matter: "
            "they are not linear, and he2015/one-layer trains them.",
        ),
    ),
    Experiment(
        id="he2015/constructed",
        title="A deeper plain net built of a shallow one by identities is no worse; trained on from there",
        zh="用恒等层把浅层普通网络加深，误差不变；再从那里继续训练",
        claims=("T7", "X1"),
        where="He et al. 2015, sec. 1 and 3.1",
        settings=quick(
            nets("plain-20"),
            {
                "by construction: 12 more layers that are the identity leave every logit as it was": at_most(
                    "largest_change", "plain-20", _ROUNDING
                ),
                "trained on from there, the 12 more layers cost less than a point of training error": below(
                    "cost_of_depth", "plain-20", 1.0, smallest=0.5
                ),
            },
        ),
        look="constructed",
        measures=("largest_change", "constructed_error", "shallow_error", "deeper_error"),
        caveats=(
            "The identities: convolutions that pass each channel on, and batch norms that undo themselves. In a "
            "training step the norms see a batch instead of all images, and so are nearly the identity.",
            "Both nets are trained on for 88 steps without augmentation, at the better of two rates.",
        ),
    ),
    Experiment(
        id="he2015/fits-identity",
        title="A stack of nonlinear layers fits the identity worse than a residual one",
        zh="多层非线性堆叠比残差堆叠更难拟合恒等映射",
        claims=("T7",),
        where="He et al. 2015, sec. 3.1",
        settings=untrained(
            nets("plain-20", "plain-56", "ResNet-20", "ResNet-56"),
            {
                f"{units} units: without shortcuts the identity is fitted worse": greater(
                    "identity_error", f"plain-{depth}", f"ResNet-{depth}", smallest=0.02
                )
                for units, depth in ((3, 20), (9, 56))
            }
            | {
                "and the worse the more units there are": greater(
                    "identity_error", "plain-56", "plain-20", smallest=0.02
                ),
            },
        ),
        look="fits_identity",
        measures=("identity_error", "first_error", "rate"),
        figure="series",
        caveats=(
            "The first stage of the nets, with batch norm, trained for 120 steps of Adam to give back random maps, at "
            "the better of two rates for each seed. The paper says so as a hypothesis and measures nothing of it.",
        ),
    ),
)

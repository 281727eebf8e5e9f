"""Chen, Rubanova, Bettencourt & Duvenaud 2018, "Neural Ordinary Differential Equations"."""

from __future__ import annotations

from residua.experiments import Arm, Experiment, Paper, PublishedRow
from residua.experiments.rules import Reading, above, alike, at_most, below, between
from residua.experiments.scales import not_judged, quick
from residua.parts import register

_RESNET, _RK, _ODE = "ResNet (6 blocks)", "RK-Net", "ODE-Net"
_NETS = (
    Arm(_RESNET, "euler_digits"),
    Arm(_RK, "rk_digits"),
    Arm(_ODE, "ode_digits", changes={"adjoint": False}),
)

_STACK = Experiment(
    id="chen2018/ode-net",
    title="An ODE-Net is about as accurate as a ResNet, with a third of the parameters",
    zh="ODE-Net 用三分之一的参数达到与 ResNet 相近的准确率",
    claims=("T6",),
    where="Chen et al. 2018, sec. 3, Table 1",
    settings=quick(
        _NETS,
        {
            "ODE-Net and ResNet differ by less than 3 points": alike("test_error", _ODE, _RESNET, 3.0),
            "so do RK-Net and ResNet": alike("test_error", _RK, _RESNET, 3.0),
            "the ODE-Net has less than 0.37 of the ResNet's 128,554 parameters (0.22 M of 0.60 M)": at_most(
                "parameters", _ODE, 0.37 * 128_554
            ),
        },
        lr=0.2,
    )
    | not_judged("the paper's table is of MNIST, of which there is no data here"),
    measures=("test_error", "parameters"),
    figure="curves",
    published=(
        *(PublishedRow("node.t1", name, "err", name) for name in (_RESNET, _RK, _ODE)),
        *(PublishedRow("node.t1", name, "params_m") for name in (_RESNET, _RK, _ODE)),
    ),
    caveats=(
        "Published errors are of MNIST. Here the bundled digits, networks half as wide and ten epochs; gradients "
        "through the solver's steps instead of the adjoint, which is the same to the solver's tolerance.",
    ),
)
_REFINED = {"panel": 0}
_REFINEMENT = Experiment(
    id="chen2018/refinement",
    title="Residual units as Euler steps: refined, they converge at order 1; the network's answers are another matter",
    zh="把残差单元看作欧拉步：细分时以一阶收敛；网络的回答则是另一回事",
    claims=("T6",),
    where="Chen et al. 2018, sec. 1, eq. 1 and 2",
    settings=quick(
        (
            Arm("Euler net (6 units)", "euler_digits", recipe={"lr": 0.2}, options=_REFINED),
            Arm("pre-activation ResNet-20", "cifar_preact_resnet20", options=_REFINED),
            Arm("ResNet-56", "cifar_resnet56", options=_REFINED),
        ),
        {
            **{
                f"{name}: the error falls as the step, at order 1": between("observed_order", name, 0.8, 1.2)
                for name in ("Euler net (6 units)", "pre-activation ResNet-20", "ResNet-56")
            },
            "ResNet-56 discretises its ODE: with 64 steps a unit it gives the same answers (95 %)": Reading(
                above("finest_agreement", "ResNet-56", 0.95, smallest=0.02)
            ),
            "ResNet-56: its logits are within a tenth of the refined ones": Reading(
                below("unrefined_error", "ResNet-56", 0.1, smallest=0.02)
            ),
        },
    ),
    look="euler",
    measures=("observed_order", "unrefined_error", "finest_agreement", "accuracy", "finest_accuracy"),
    figure="series",
    caveats=(
        "The weights are trained with one step a unit and refined afterwards. Units that change the shape cannot be "
        "refined. That the refinement converges says that there is an ODE, not that the network computes its solution.",
    ),
)

register(Paper(kind="chen2018", year=2018, experiments=(_STACK, _REFINEMENT)))

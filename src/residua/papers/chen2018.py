"""Chen, Rubanova, Bettencourt & Duvenaud 2018, "Neural Ordinary Differential Equations"."""

from __future__ import annotations

from residua.experiments.bounds import Between, above, below
from residua.experiments.experiment import Arm, Experiment, PublishedRow, Setting
from residua.experiments.rules.directions import Alike, Within

_RESNET, _RK, _ODE = "ResNet (6 blocks)", "RK-Net", "ODE-Net"
_NETS = (
    Arm(name=_RESNET, model="euler_digits"),
    Arm(name=_RK, model="rk_digits"),
    Arm(name=_ODE, model="ode_digits", changes={"adjoint": False}),
)

_STACK = Experiment(
    id="chen2018/ode-net",
    title="An ODE-Net is about as accurate as a ResNet, with a third of the parameters",
    zh="ODE-Net 用三分之一的参数达到与 ResNet 相近的准确率",
    claims=("T6",),
    where="Chen et al. 2018, sec. 3, Table 1",
    settings={
        "quick": Setting(
            arms=_NETS,
            rules=(
                Alike(
                    text="ODE-Net and ResNet differ by less than 3 points",
                    measure="test_error",
                    arms=(_ODE, _RESNET),
                    margin=3.0,
                ),
                Alike(text="so do RK-Net and ResNet", measure="test_error", arms=(_RK, _RESNET), margin=3.0),
                Within(
                    text="the ODE-Net has less than 0.37 of the ResNet's 128,554 parameters (0.22 M of 0.60 M)",
                    measure="parameters",
                    arm=_ODE,
                    high=0.37 * 128_554,
                ),
            ),
            recipe="digits",
            changes={"epochs": 10, "lr": 0.2},
        ),
        "paper": "the paper's table is of MNIST, of which there is no data here",
    },
    measures=("test_error", "parameters"),
    figure="curves",
    published=(
        *(
            PublishedRow(table="node.t1", model=name, key="err", measure="test_error", arm=name)
            for name in (_RESNET, _RK, _ODE)
        ),
        *(PublishedRow(table="node.t1", model=name, key="params_m") for name in (_RESNET, _RK, _ODE)),
    ),
    caveats=(
        "Published errors are of MNIST. Here the bundled digits, networks half as wide and ten epochs; gradients "
        "through the solver's steps instead of the adjoint, which is the same to the solver's tolerance.",
    ),
)
_REFINED = {"kind": "euler", "panel": 0}
_REFINEMENT = Experiment(
    id="chen2018/refinement",
    title="Residual units as Euler steps: refined, they converge at order 1; the network's answers are another matter",
    zh="把残差单元看作欧拉步：细分时以一阶收敛；网络的回答则是另一回事",
    claims=("T6",),
    where="Chen et al. 2018, sec. 1, eq. 1 and 2",
    settings={
        "quick": Setting(
            arms=(
                Arm(name="Euler net (6 units)", model="euler_digits", recipe={"lr": 0.2}, options=_REFINED),
                Arm(
                    name="pre-activation ResNet-20",
                    model="cifar_preact_resnet20",
                    options=_REFINED,
                ),
                Arm(name="ResNet-56", model="cifar_resnet56", options=_REFINED),
            ),
            rules=(
                *(
                    Between(
                        text=f"{name}: the error falls as the step, at order 1",
                        measure="observed_order",
                        arm=name,
                        low=0.8,
                        high=1.2,
                    )
                    for name in ("Euler net (6 units)", "pre-activation ResNet-20", "ResNet-56")
                ),
                above(
                    "finest_agreement",
                    "ResNet-56",
                    0.95,
                    text="ResNet-56 discretises its ODE: with 16 steps a unit it gives the same answers (95 %)",
                ),
                below(
                    "unrefined_error",
                    "ResNet-56",
                    0.1,
                    text="ResNet-56: its logits are within a tenth of the refined ones",
                ),
            ),
            recipe="digits",
            changes={"epochs": 10},
        ),
    },
    look="finding",
    measures=("observed_order", "unrefined_error", "finest_agreement", "accuracy", "finest_accuracy"),
    figure="series",
    caveats=(
        "The weights are trained with one step a unit and refined afterwards. Units that change the shape cannot be "
        "refined. That the refinement converges says that there is an ODE, not that the network computes its solution.",
    ),
)

EXPERIMENTS = (_STACK, _REFINEMENT)

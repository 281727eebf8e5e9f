"""Zagoruyko & Komodakis 2016, "Wide Residual Networks"."""

from __future__ import annotations

from residua.experiments.experiment import Arm, Experiment, PublishedRow, Setting
from residua.experiments.rules.directions import Number, greater

_WIDER = "WRN-10-1.9"
_DEEPER = "WRN-22-1"
_TABLE = {"WRN-40-4": 4.53, "WRN-16-8": 4.27}

EXPERIMENTS = (
    Experiment(
        id="zagoruyko2016/wider",
        title="Wider beats deeper at the same number of parameters",
        zh="参数量相同时，加宽优于加深",
        claims=("X13",),
        where="Zagoruyko & Komodakis 2016, sec. 3, Tables 4 and 5",
        settings={
            "quick": Setting(
                arms=(
                    # 271,994 parameters and 2.53 M multiply-adds, against 267,126 and 2.45 M
                    Arm(name=_DEEPER, model="wrn_22_1"),
                    Arm(name=_WIDER, model="wrn_10_2", changes={"widths": (30, 60, 120)}),
                ),
                rules=(
                    greater(
                        "test_error",
                        _DEEPER,
                        _WIDER,
                        text="twice the width at half the depth has the lower test error",
                    ),
                ),
                recipe="digits",
                changes={"epochs": 10},
            ),
            "paper": Setting(
                arms=(
                    Arm(name="WRN-40-4", model="wrn_40_4"),
                    Arm(name="WRN-16-8", model="wrn_16_8"),
                ),
                rules=(
                    greater(
                        "test_error", "WRN-40-4", "WRN-16-8", text="WRN-16-8 has a lower error than WRN-40-4"
                    ),
                    # medians of five runs are printed; two of their standard deviations are about 0.3
                    *(
                        Number(
                            text=f"the error of {name} is the published one",
                            measure="test_error",
                            arm=name,
                            value=value,
                            tolerance=0.3,
                        )
                        for name, value in _TABLE.items()
                    ),
                ),
                recipe="zagoruyko2016-cifar",
                needs="cifar10",
                curves=True,
                seeds=5,
            ),
        },
        measures=("test_error", "train_error", "parameters"),
        figure="curves",
        published=(
            *(
                PublishedRow(table="wrn.t5", model=name, key="c10", measure="test_error", arm=name)
                for name in _TABLE
            ),
            PublishedRow(table="wrn.t5", model="pre-act ResNet-1001", key="c10"),
            PublishedRow(table="wrn.t5", model="WRN-28-10", key="c10"),
        ),
        observations=("wrn-speed",),
        caveats=(
            "In the paper WRN-40-4 (8.9 M parameters) stands beside ResNet-1001 (10.2 M), and WRN-16-8 (11.0 M) beside "
            "both. At the quick scale the widths are 30, 60 and 120 so that parameters agree within 2 %.",
            "The recipe pads with zeros where the paper reflects.",
        ),
    ),
)

"""Zagoruyko & Komodakis 2016, "Wide Residual Networks"."""

from __future__ import annotations

from residua.experiments import Arm, Experiment, Paper, PublishedRow
from residua.experiments.rules import greater, published_errors
from residua.experiments.scales import paper, quick
from residua.parts import register

_WIDER = "WRN-10-1.9"
_DEEPER = "WRN-22-1"
_TABLE = {"WRN-40-4": 4.53, "WRN-16-8": 4.27}

_EXPERIMENTS = (
    Experiment(
        id="zagoruyko2016/wider",
        title="Wider beats deeper at the same number of parameters",
        zh="参数量相同时，加宽优于加深",
        claims=("X13",),
        where="Zagoruyko & Komodakis 2016, sec. 3, Tables 4 and 5",
        settings=quick(
            (
                # 271,994 parameters and 2.53 M multiply-adds, against 267,126 and 2.45 M
                Arm(_DEEPER, "wrn_22_1"),
                Arm(_WIDER, "wrn_10_2", changes={"widths": (30, 60, 120)}),
            ),
            {
                "twice the width at half the depth has the lower test error": greater(
                    "test_error", _DEEPER, _WIDER, smallest=0.5
                )
            },
        )
        | paper(
            (Arm("WRN-40-4", "wrn_40_4"), Arm("WRN-16-8", "wrn_16_8")),
            {
                "WRN-16-8 has a lower error than WRN-40-4": greater(
                    "test_error", "WRN-40-4", "WRN-16-8", smallest=0.5
                ),
                # medians of five runs are printed; two of their standard deviations are about 0.3
                **published_errors(_TABLE, 0.3),
            },
            "zagoruyko2016-cifar",
        ),
        measures=("test_error", "train_error", "parameters"),
        figure="curves",
        published=(
            *(PublishedRow("wrn.t5", name, "c10", name) for name in _TABLE),
            PublishedRow("wrn.t5", "pre-act ResNet-1001", "c10"),
            PublishedRow("wrn.t5", "WRN-28-10", "c10"),
        ),
        observations=("wrn-speed",),
        caveats=(
            "In the paper WRN-40-4 (8.9 M parameters) stands beside ResNet-1001 (10.2 M), and WRN-16-8 (11.0 M) beside "
            "both. At the quick scale the widths are 30, 60 and 120 so that parameters agree within 2 %.",
            "The recipe pads with zeros where the paper reflects.",
        ),
    ),
)

register(Paper(kind="zagoruyko2016", year=2016, experiments=_EXPERIMENTS))

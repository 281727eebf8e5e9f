"""He et al. 2015: what its tables really print, beside what popular texts quote from them."""

from __future__ import annotations

from residua.experiments import Arm, Experiment, PublishedRow
from residua.experiments.rules import exactly, greater, published_errors
from residua.experiments.scales import exact, nets, untrained
from residua.papers.he2015.protocol import as_published


def _figure(name: str, table: str, model: str, key: str) -> Arm:
    return Arm(name, options={"table": table, "model": model, "key": key})


_POPULAR = {"ResNet-20": 8.75, "plain-20": 8.75, "ResNet-56": 8.50, "plain-56": 9.53, "ResNet-110": 7.61}
_POPULAR_OPTIONS = {name: {"table": "he2015.t6", "model": name, "key": "err"} for name in _POPULAR}

EXPERIMENTS = (
    Experiment(
        id="he2015/popular-table",
        title="A popular CIFAR-10 table that is not in the paper",
        zh="一张流传甚广、却不在论文中的 CIFAR-10 表",
        claims=("X10",),
        where="He et al. 2015, sec. 4.2, Table 6",
        settings=untrained(
            [Arm(name, options=options) for name, options in _POPULAR_OPTIONS.items()],
            {
                f"Table 6 prints {value:.2f} % for {name}": exactly(
                    "value" if name.startswith("ResNet") else "printed",
                    name,
                    value if name.startswith("ResNet") else 1,
                )
                for name, value in _POPULAR.items()
            },
            fixed=True,
        )
        | as_published(
            [Arm(arm.name, arm.model, options=_POPULAR_OPTIONS[arm.name]) for arm in nets(*_POPULAR)],
            {
                **published_errors(_POPULAR, 0.48),
                "plain-56 errs more than ResNet-56": greater(
                    "test_error", "plain-56", "ResNet-56", smallest=0.5
                ),
            },
            warm_up=("ResNet-110",),
        ),
        look="published_figure",
        measures=("printed", "value", "test_error"),
        published=(
            *(PublishedRow("he2015.t6", m, "err", m) for m in ("ResNet-20", "ResNet-56", "ResNet-110")),
            PublishedRow("he2015.t6", "ResNet-110", "mean", "ResNet-110"),
            PublishedRow("he2016.t3", "ResNet-1001", "original", where={"dataset": "CIFAR-10"}),
        ),
        observations=("plain-cifar", "plain-110"),
        caveats=(
            "The claim as popularly made. Only ResNet-20's 8.75 is in the paper, which tabulates no plain net: its "
            "curves alone show them. 7.61 % is a ResNet of 1001 layers with original units (He et al. 2016).",
        ),
    ),
    Experiment(
        id="he2015/single-357",
        title='"ResNet-152 won with 3.57 %": a single network did not',
        zh="“ResNet-152 以 3.57 % 夺冠”：单个网络并没有",
        claims=("X9",),
        where="He et al. 2015, sec. 4.1, Tables 4 and 5",
        settings=exact(
            (
                _figure("ResNet-152, single", "he2015.t4", "ResNet-152", "top5_err"),
                _figure("the winning entry", "he2015.t5", "ResNet (ILSVRC'15)", "top5_err"),
            ),
            {"a single ResNet-152 has a top-5 error of 3.57 %": exactly("value", "ResNet-152, single", 3.57)},
        ),
        look="published_figure",
        measures=("value",),
        published=(
            PublishedRow("he2015.t4", "ResNet-152", "top5_err", "ResNet-152, single", "value"),
            PublishedRow("he2015.t5", "ResNet (ILSVRC'15)", "top5_err", "the winning entry", "value"),
        ),
        observations=("ensemble-composition",),
        caveats=(
            "The claim as popularly made, held against the paper's own tables; nothing is trained. 3.57 % is an "
            "ensemble of six models on the test set, 4.49 % the best single one on the validation set, both "
            "multi-scale.",
        ),
    ),
)

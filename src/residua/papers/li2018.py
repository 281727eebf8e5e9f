"""Li, Xu, Taylor, Studer & Goldstein 2018, "Visualizing the Loss Landscape of Neural Nets"."""

from __future__ import annotations

from residua.experiments import Experiment, Paper, PublishedRow
from residua.experiments.rules import Contrast, greater
from residua.experiments.scales import nets, not_judged, quick
from residua.parts import register

_NETS = nets("ResNet-20", "ResNet-56", "plain-20", "plain-56", images=64, points=7, panel=1)

_EXPERIMENTS = (
    Experiment(
        id="li2018/landscape",
        title="Depth makes the loss surface of plain nets chaotic, and shortcuts prevent it",
        zh="深度使普通网络的损失曲面变得混乱，捷径可以防止",
        claims=("X1",),
        where="Li et al. 2018, sec. 5, Figures 1, 5 and 6",
        settings=quick(
            _NETS,
            {
                "at 56 layers the surface is further from convex without shortcuts": greater(
                    "nonconvexity", "plain-56", "ResNet-56", smallest=0.05
                ),
                "and that is a matter of depth: the difference is larger than at 20 layers": Contrast(
                    "nonconvexity",
                    {"plain-56": 1.0, "ResNet-56": -1.0, "plain-20": -1.0, "ResNet-20": 1.0},
                    smallest=0.05,
                ),
            },
        )
        | not_judged(
            "the paper trains with batches of 128 by a recipe of its own, and prints pictures of the surfaces"
        ),
        look="landscape",
        measures=("nonconvexity", "negative_curvature", "rise", "loss"),
        figure="series",
        published=tuple(
            PublishedRow("li2018.cifar10", model, "err")
            for model in ("ResNet-20", "ResNet-56", "ResNet-20-noshort", "ResNet-56-noshort")
        ),
        caveats=(
            "Nonconvexity: the mean ratio of the most negative to the largest curvature within the plane of two random "
            "filter-normalised directions, at 25 points; the paper maps it for the whole Hessian. Errors of the paper "
            "are of fully trained networks; plain-56 is far from that after ten epochs on the digits.",
        ),
    ),
)

register(Paper(kind="li2018", year=2018, experiments=_EXPERIMENTS))

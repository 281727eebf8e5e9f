"""Vaswani et al. 2017, "Attention Is All You Need": residual connections in a Transformer."""

from __future__ import annotations

from residua.experiments import Arm, Experiment, Paper
from residua.experiments.rules import greater
from residua.experiments.scales import not_judged, quick
from residua.parts import register

_EXPERIMENTS = (
    Experiment(
        id="vaswani2017/residuals",
        title="A Transformer with and without its residual connections",
        zh="有无残差连接的 Transformer",
        claims=("X14",),
        where="Vaswani et al. 2017, sec. 3.1",
        settings=quick(
            tuple(
                Arm(name, f"transformer_{kind}tiny", changes={"layers": 4})
                for name, kind in (("with residuals", ""), ("without", "plain_"))
            ),
            {
                "after the same steps the loss without residuals is higher": greater(
                    "train_loss", "without", "with residuals", smallest=0.05
                ),
                "and so are the bits a byte of other text": greater(
                    "test_bits_per_byte", "without", "with residuals", smallest=0.05
                ),
            },
            recipe="language",
            epochs=1,
            iterations=60,
            source="text",
        )
        | not_judged("the paper prints no figure for a Transformer without residual connections"),
        measures=("train_loss", "test_bits_per_byte"),
        caveats=(
            "Small causal models of bytes, four layers of width 64, 60 steps of 32 windows on the bundled text. The "
            "paper translates, gives the residuals as the reason for equal widths everywhere, and ablates none.",
        ),
    ),
)

register(Paper(kind="vaswani2017", year=2017, experiments=_EXPERIMENTS))

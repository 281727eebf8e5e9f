"""Xiong et al. 2020, "On Layer Normalization in the Transformer Architecture": norms after or before the branch."""

from __future__ import annotations

from residua.experiments import Arm, Claim, Experiment, Paper, PublishedRow
from residua.experiments.rules import Contrast, alike, greater
from residua.experiments.scales import not_judged, quick
from residua.parts import register
from residua.published import Row, Source, Table

_SOURCE = Source(
    id="xiong2020",
    title="On Layer Normalization in the Transformer Architecture",
    url="https://arxiv.org/abs/2002.04745",
    authors="Xiong, Yang, He, Zheng, Zheng, Xing, Zhang, Lan, Wang, Liu",
    year=2020,
)
_ABSTRACT = Table(
    id="xiong2020.abstract",
    source=_SOURCE,
    where="abstract",
    rows=(Row(model="Pre-LN", status="verified", values={"without warm-up": "comparable results"}),),
)
_WARM, _COLD = {"warmup": 0.3}, {"warmup": 0.0}
_PRE, _POST = "pre-norm", "post-norm"


def _name(norm: str, warmup: bool) -> str:
    return f"{norm}, {'with' if warmup else 'without'} warm-up"


_ARMS = tuple(
    Arm(_name(norm, warmup), model, changes={"layers": 8}, recipe=_WARM if warmup else _COLD)
    for norm, model in ((_PRE, "transformer_tiny"), (_POST, "transformer_postnorm_tiny"))
    for warmup in (True, False)
)
_EXPERIMENT = Experiment(
    id="xiong2020/warm-up",
    title="A post-norm Transformer needs a warm-up, a pre-norm one does not",
    zh="后置归一化的 Transformer 需要预热，前置归一化的不需要",
    claims=(
        Claim(
            id="N1",
            text="without a warm-up of the learning rate post-norm Transformers train poorly; pre-norm ones reach "
            "comparable results",
            zh="没有学习率预热时，后置归一化的 Transformer 训练得差；前置归一化的可达到相近的结果",
        ),
    ),
    where="Xiong et al. 2020, abstract",
    settings=quick(
        _ARMS,
        {
            "without a warm-up the loss of the post-norm Transformer is higher than that of the pre-norm one": greater(
                "train_loss", _name(_POST, False), _name(_PRE, False), smallest=0.05
            ),
            "the post-norm Transformer gains more from a warm-up than the pre-norm one": Contrast(
                "train_loss",
                {
                    _name(_POST, False): 1.0,
                    _name(_POST, True): -1.0,
                    _name(_PRE, False): -1.0,
                    _name(_PRE, True): 1.0,
                },
                smallest=0.05,
            ),
            "without it the pre-norm Transformer reaches a comparable loss (within 0.1 nats)": alike(
                "train_loss", _name(_PRE, False), _name(_PRE, True), 0.1
            ),
        },
        recipe="language",
        epochs=1,
        iterations=100,
        clip_norm=None,
        source="text",
    )
    | not_judged("the paper translates (IWSLT14, WMT14) and trains BERT"),
    measures=("train_loss", "test_bits_per_byte"),
    figure="bars",
    published=(PublishedRow(_ABSTRACT, "Pre-LN", "without warm-up"),),
    caveats=(
        "Of the paper the abstract was seen, no figure of its tables. Small causal models of bytes, eight layers of "
        "width 64, 100 steps on the bundled text by AdamW, at one rate for all; with a warm-up it takes 30 steps.",
        "Gradients are not clipped: large ones are what the paper's argument is about. In a first run (one seed) that "
        "clipped them at a norm of 1 the post-norm Transformer did better without a warm-up, 2.63 nats against 2.88.",
    ),
)

register(Paper(kind="xiong2020", year=2020, experiments=(_EXPERIMENT,)))

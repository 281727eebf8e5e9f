"""Checks that take steps of training."""

from __future__ import annotations

import torch

from residua.spec import ModelSpec
from residua.testing.example import example, network
from residua.train.layers import depths, held
from residua.train.recipes import recipe
from residua.train.supervised import make_optimizer, take_step


def fine_tuning_begins_with_the_head(spec: ModelSpec) -> None:
    """Held, nothing but the head moves, no statistics either; then all layers do, each at a rate of its own."""
    model, x, how = network(spec), example(spec), recipe("finetune")
    at = depths(model)
    assert sorted(at.values()) == list(at.values()), "layers are not in the order in which they are applied"
    optimizer = make_optimizer(model, how)
    for frozen in (True, False):
        before = {name: value.clone() for name, value in model.state_dict().items()}
        with held(model.train(), frozen):
            out = model(x).float()
            (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        take_step(optimizer, how)
        moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
        early = [name for name in moved if not name.startswith("head.")]
        assert moved, "nothing learns"
        assert not (frozen and early), f"{early[0]} moves while the head learns alone"
        assert frozen or {at[name] for name in moved & at.keys()} == set(at.values()), (
            "a layer learns nothing"
        )

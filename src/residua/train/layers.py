"""Where the parameters of a network stand between image and answer, and holding those before the head still."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from residua.nn.conventions import Classifier


def depths(network: nn.Module) -> dict[str, float]:
    """The depth of every parameter, by name: 0 in the stem, 1 in the head, each unit a step of equal size.

    A network says itself what its layers are (``group_matcher``); what follows the last unit (a tail, the end of
    several streams) counts with it.
    """
    assert isinstance(network, Classifier)  # no task fine-tunes another (train.task)
    patterns = [re.compile(pattern) for pattern, _ in network.group_matcher()["blocks"]]
    groups: dict[tuple[str, ...], list[str]] = {("stem",): []}  # in the order in which they are applied
    for name, _ in network.named_parameters():
        match = next(filter(None, (pattern.match(name) for pattern in patterns)), None)
        if name.startswith("head."):
            key: tuple[str, ...] = ("head",)
        else:
            key = match.groups() if match and match.groups() else next(reversed(groups))
        groups.setdefault(key, []).append(name)
    last = max(len(groups) - 1, 1)
    return {name: place / last for place, names in enumerate(groups.values()) for name in names}


@contextmanager
def held(network: nn.Module, frozen: bool = True) -> Iterator[None]:
    """While open, nothing but the head learns: no gradients before it, and its input is that of evaluation.

    Batch norms then use the statistics that belong to the weights, and keep them: those of a few new images would move
    the features under a head that is being fitted to them, and leave statistics of another network than the one that
    is trained on. Dropout and stochastic depth before the head rest for the same reason.
    """
    if not frozen:
        yield
        return
    assert isinstance(network, Classifier)
    for part in network.children():
        if part is not network.head:
            part.eval()
    own = {id(parameter) for parameter in network.head.parameters()}
    learning = [p for p in network.parameters() if p.requires_grad and id(p) not in own]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)

"""Looks at one network: its responses, its guesses, more depth, what a training step takes, the weights of a unit."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from residua.analysis.response import response_finding
from residua.experiments.rules.ensemble import packed
from residua.nn import zero_init_branches
from residua.nn.residual import recomputing
from residua.registry import build
from residua.train.seeding import seed_torch

PROBES = 256  # test images that responses are taken of


def responses(network: Any, data: Any, seed: int) -> dict[str, Any]:
    """Standard deviations of the 3x3 layers on test images (He et al. 2015, Figure 7), in order and sorted."""
    batch = next(iter(data.eval_batches("test", PROBES)))
    found = response_finding(network, batch.images, batch.labels)
    in_order, ranked = found.panels[0].curves[0], found.panels[1].curves[0]
    curves = {"x": list(in_order.x), "in_order": list(in_order.y), "sorted": list(ranked.y)}
    return {**found.values, **curves, "x_label": "3x3 layer, from input to output"}


def deepened(network: Any, data: Any, seed: int, *, units: int = 2) -> dict[str, Any]:
    """What changes when ``units`` units whose branches are zero are put at the end of every stage.

    ``largest_change`` is of a logit, on all test images; ``error_change`` in points of percent.
    """
    spec = network.spec
    deeper = build(spec.change(depths=[depth + units for depth in spec.depths]))
    deeper.load_state_dict(network.state_dict(), strict=False)
    for stage, depth in zip(deeper.stages, spec.depths, strict=True):
        for unit in stage[depth:]:
            zero_init_branches(unit)
    before, labels = _logits(network, data)
    after, _ = _logits(deeper, data)
    return {
        "layers": spec.depth,
        "layers_deepened": deeper.spec.depth,
        "largest_change": float((after - before).abs().max()),
        "error_change": _error(after, labels) - _error(before, labels),
        "error_deepened": _error(after, labels),
    }


def probabilities(network: Any, data: Any, seed: int) -> dict[str, Any]:
    """The probability of every class for every test image, the true class first, as text (papers.ensemble)."""
    logits, labels = _logits(network, data)
    classes = logits.shape[1]
    order = (labels[:, None] + torch.arange(classes)) % classes
    return {"classes": classes, "probabilities": packed(logits.softmax(1).gather(1, order).numpy())}


def training_step(network: Any, data: Any, seed: int, *, batch: int = 2, lr: float = 0.01) -> dict[str, Any]:
    """One step of plain gradient descent on ``batch`` images of noise, units recomputed in the backward pass.

    ``held_gb`` and ``held_gb_recomputing`` are what the forward pass keeps for the backward pass, without parameters,
    for a batch of 128 (the paper's) by multiplication.
    """
    seed_torch(seed, "training step")
    images = torch.randn(batch, *network.spec.usual_input)
    labels = torch.randint(network.spec.num_classes, (batch,))
    network.train()
    held = {}
    for recompute in (False, True):
        network.zero_grad()
        seen = _Held(network)
        with recomputing(network, recompute), seen:
            loss = F.cross_entropy(network(images), labels)
        held[recompute] = seen.bytes / batch * 128 / 1e9
        if recompute:
            loss.backward()
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d)).weight.grad
    assert first is not None
    with torch.no_grad():
        for parameter in network.parameters():
            parameter -= lr * parameter.grad
        after = F.cross_entropy(network(images), labels)
    network.eval()
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "layers": network.spec.depth,
        "units": sum(network.spec.depths),
        "loss_before": float(loss.detach()),
        "loss_after": float(after),
        "loss_change": float(after - loss.detach()),
        "first_gradient": float(first.norm()),
        "held_gb": held[False],
        "held_gb_recomputing": held[True],
    }


def branch_weights(network: Any, data: Any, seed: int, *, unit: str) -> dict[str, Any]:
    """Weights of the convolutions of one unit's branch, and the channels that come into it."""
    convs = [m for m in network.get_submodule(unit).branch.modules() if isinstance(m, nn.Conv2d)]
    return {"weights": sum(conv.weight.numel() for conv in convs), "channels": convs[0].in_channels}


def _logits(network: nn.Module, data: Any) -> tuple[Tensor, Tensor]:
    network.eval()
    with torch.no_grad():
        pairs = [(network(batch.images), batch.labels) for batch in data.eval_batches("test", PROBES)]
    logits, labels = zip(*pairs, strict=True)
    return torch.cat(logits), torch.cat(labels)


def _error(logits: Tensor, labels: Tensor) -> float:
    return 100 * float((logits.argmax(1) != labels).double().mean())


class _Held(torch.autograd.graph.saved_tensors_hooks):
    """While open, counts the bytes that autograd keeps: every storage once, without the network's parameters."""

    def __init__(self, network: nn.Module) -> None:
        self._own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
        self._sizes: dict[int, int] = {}
        super().__init__(self._pack, lambda tensor: tensor)

    def _pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._own:
            self._sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    @property
    def bytes(self) -> int:
        return sum(self._sizes.values())

"""One training step (forward, loss, backward, SGD, accuracy) of residua and of its peers, as functions to time.

CIFAR's ResNets are not among the peers' named models; they are built from their own BasicBlock, in the shape of He et
al. 2015, sec. 4.2, with option B.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from residua.data import load_data
from residua.train import Plan, recipe
from residua.train.task import make_task


def cifar_resnet(basic_block: Any, count: int) -> nn.Module:
    """CIFAR's ResNet of ``6 * count + 2`` layers, option B, from a peer's basic block."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
    ]
    channels = 16
    for width, stride in ((16, 1), (32, 2), (64, 2)):
        for step in (stride, *[1] * (count - 1)):
            down = None
            if step != 1:
                down = nn.Sequential(nn.Conv2d(channels, width, 1, step, bias=False), nn.BatchNorm2d(width))
            layers.append(basic_block(channels, width, step, down))
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def peer_step(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    tuned: bool = False,
    bf16: bool = False,
    compile: bool = False,
) -> Callable[[], object]:
    """A peer's training step: eager, contiguous, SGD with its defaults; ``tuned`` with residua's layout and SGD."""
    if tuned:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        images = images.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True if tuned else None
    )
    model.train()
    network: Callable[[torch.Tensor], torch.Tensor] = torch.compile(model) if compile else model

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network(images)
            loss = F.cross_entropy(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return float((logits.argmax(1) == labels).sum())

    return step


def residua_step(
    model: nn.Module, plan: Plan, images: torch.Tensor, labels: torch.Tensor
) -> Callable[[], object]:
    """residua's own training step, as ``fit`` runs it."""
    model = model.to(memory_format=plan.memory_format)  # type: ignore[call-overload]
    task = make_task(model, recipe("quick", lr=0.01), plan, load_data("digits"))  # of any images with classes
    batch = (images.contiguous(memory_format=plan.memory_format), labels)
    return lambda: float(task.step(batch, 0.0)["accuracy"])

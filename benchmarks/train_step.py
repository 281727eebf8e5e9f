"""The training step (forward, loss, backward, SGD, accuracy) of ResNet-20 and ResNet-50 beside the peers'.

ResNet-20 is not among the peers' named models; it is built from their own BasicBlock,
in the shape of He et al. 2015, sec. 4.2, with option B (272,474 parameters in all three).
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.harness import Case, measure, measure_peaks, store
from benchmarks.peers import import_timm, import_torchvision
from residua.analysis.cost import cost
from residua.data import load_data
from residua.loading import create_model
from residua.machine import machine, usable_cores
from residua.train import Plan, Request, make_plan, recipe
from residua.train.task import make_task

NOTES = (
    "*conventional* is the step as most training scripts have it: eager, float32, contiguous, `torch.optim.SGD` with "
    "its defaults. *channels_last bf16* (*fp32* where the processor only emulates bfloat16) gives the peer the layout, "
    "precision and fused optimiser that residua's plan chooses, so that what is left is the network's own code. The "
    "networks have equal parameter counts, checked before timing."
)


def resnet20(basic_block: Any) -> nn.Module:
    """ResNet-20, option B, from a peer's basic block."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
    ]
    channels = 16
    for width, stride in ((16, 1), (32, 2), (64, 2)):
        for step in (stride, 1, 1):
            down = None
            if step != 1:
                down = nn.Sequential(nn.Conv2d(channels, width, 1, step, bias=False), nn.BatchNorm2d(width))
            layers.append(basic_block(channels, width, step, down))
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def peer_step(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, *, tuned: bool
) -> Callable[[], object]:
    """A peer's training step, conventional or with residua's layout, precision and optimiser."""
    if tuned:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = images.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True if tuned else None
    )
    model.train()

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=tuned and machine().has_fast_bf16):
            logits = model(images)
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


def case(name: str, spec: Any, peers: dict[str, nn.Module], *, batch: int, side: int, classes: int) -> Case:
    """Candidates of one network: peers conventional and tuned, residua eager and compiled."""
    torch.manual_seed(0)
    images, labels = torch.randn(batch, 3, side, side), torch.randint(0, classes, (batch,))
    count = sum(p.numel() for p in create_model(spec).parameters())
    fast = "bf16" if machine().has_fast_bf16 else "fp32"
    candidates: dict[str, Callable[[], object]] = {}
    for peer, model in peers.items():
        assert sum(p.numel() for p in model.parameters()) == count, f"{peer} is not the same network"
        candidates[f"{peer} conventional"] = peer_step(copy.deepcopy(model), images, labels, tuned=False)
        candidates[f"{peer} channels_last {fast}"] = peer_step(
            copy.deepcopy(model), images, labels, tuned=True
        )
    for label, compile in (("eager", "off"), ("compiled", "on")):
        model = create_model(spec)
        plan = make_plan(Request(compile=compile, threads=usable_cores()), model, 0.0, 0)
        short = "bf16" if plan.precision == "bfloat16" else "fp32"
        candidates[f"residua {label} {short}"] = residua_step(model, plan, images, labels)
    multiply_adds = cost(create_model(spec), (3, side, side)).multiply_adds
    flops = 2 * 3 * multiply_adds  # a multiply and an add are two; backward costs twice the forward pass
    return Case(
        name=f"{name}, batch {batch}, {side} px",
        items=batch,
        flops=flops,
        candidates=candidates,
        baseline=next(iter(candidates)),
    )


def main() -> None:
    """Run both cases and store their tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn, about")
    arguments = parser.parse_args()
    torch.set_num_threads(usable_cores())
    torchvision, timm = import_torchvision(), import_timm()
    peaks = measure_peaks()
    print(f"{machine().cpu}: {peaks}")
    cases = (
        case(
            "ResNet-20 (option B)",
            create_model("cifar_resnet20", shortcut="B").spec,
            {
                "torchvision": resnet20(torchvision.models.resnet.BasicBlock),
                "timm": resnet20(timm.models.resnet.BasicBlock),
            },
            batch=128,
            side=32,
            classes=10,
        ),
        case(
            "ResNet-50",
            "resnet50",
            {"torchvision": torchvision.models.resnet50(), "timm": timm.create_model("resnet50")},
            batch=16,
            side=224,
            classes=1000,
        ),
    )
    measured = [
        measure(c, rounds=arguments.rounds, min_seconds=arguments.seconds, peaks=peaks) for c in cases
    ]
    store("train_step", "The training step", measured, peaks, NOTES)


if __name__ == "__main__":
    main()

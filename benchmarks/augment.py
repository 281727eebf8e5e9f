"""What augmentation adds to a training step.

A batch of 128 images of 32 px is augmented, in turns with a training step of ResNet-20 on it, as the plan has it: each
augmentation alone with its defaults, and together what recipes of CIFAR use. The share of the limit is what is left of
the step's speed with crop, flip and cutout before it; aim: at least 95 %.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import torch

from benchmarks.front_door import Result
from residua import parts
from residua.analysis.cost import cost
from residua.data import load_data
from residua.data.batches.keyed import BatchKey, generator
from residua.data.loaded import Data
from residua.loading import create_model
from residua.spec import Recipe
from residua.timing import compare, spread
from residua.train import Request, make_plan, recipe
from residua.train.task import make_task

BATCH, SIDE, CLASSES = 128, 32, 10
CIFAR = ("crop(4)", "flip", "cutout")
TOGETHER = (("crop_flip(4, true)",), CIFAR, ("crop(4, reflect)", "alternating_flip", "cutout"))


def options(parser: argparse.ArgumentParser) -> None:
    """Rounds, seconds of each turn, device, and whether the step is compiled."""
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each turn, about")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compile", choices=["on", "off"], default="on")


def measure(asked: argparse.Namespace) -> Result:
    """Time a step and the augmentations in turns."""
    rounds, seconds = (3, 0.05) if asked.quick else (asked.rounds, asked.seconds)
    network = create_model("cifar_resnet20")
    work = 3.0 * BATCH * cost(network, (3, SIDE, SIDE)).multiply_adds
    request = Request(device=asked.device, compile="off" if asked.quick else asked.compile)
    plan = make_plan(request, network, work, 64_000)
    data = load_data("digits")  # of any images with classes
    network = network.to(plan.device, memory_format=plan.memory_format)  # type: ignore[call-overload]
    task = make_task(network, recipe("quick", lr=0.01), plan, data)
    pixels = torch.from_numpy(generator(0, "pixels").integers(0, 256, (BATCH, SIDE, SIDE, 3), "uint8"))
    batch = (pixels.permute(0, 3, 1, 2).to(plan.device), (torch.arange(BATCH) % CLASSES).to(plan.device))
    inputs = batch[0].float().contiguous(memory_format=plan.memory_format) / 255, batch[1]
    kinds = [kind for kind in sorted(parts.parts("augmentation")) if kind != "crop_flip"]
    alone = [("crop(4)" if kind == "crop" else kind,) for kind in kinds]
    candidates: dict[str, Callable[[], object]] = {"step": lambda: task.step(inputs, 0.0)}
    candidates |= {" + ".join(names): augmented(names, data, *batch) for names in (*alone, *TOGETHER)}
    timed = compare(candidates, rounds=rounds, warmup=3, min_seconds=seconds, baseline="step")
    steps = timed.timings["step"].seconds
    shares = {}
    for name, timing in timed.timings.items():
        found = spread([own / step for own, step in zip(timing.seconds, steps, strict=True)], 0.1)
        shares[name] = [found.low, found.median, found.high]
    return Result(
        ratio=None,
        spread=None,
        limit_share=1 / (1 + shares[" + ".join(CIFAR)][1]),
        evidence={"plan": plan.to_dict(), "shares": shares, **timed.to_dict()},
    )


def table(evidence: Mapping[str, Any]) -> list[str]:
    """A row an augmentation."""
    plan, candidates = evidence["plan"], evidence["candidates"]
    step = 1e3 * candidates["step"]["median_seconds"]
    lines = [
        f"The step takes {step:.1f} ms ({plan['device']}, {plan['precision']}, compiled: {plan['compile']}); "
        f"{evidence['rounds']} rounds.",
        "",
        "| augmentation | ms a batch | share of the step (10-90 % of the rounds) |",
        "|---|---:|---:|",
    ]
    for name, (low, median, high) in evidence["shares"].items():
        if name != "step":
            taken = 1e3 * candidates[name]["median_seconds"]
            lines.append(f"| {name} | {taken:.2f} | {median:.1%} ({low:.1%}-{high:.1%}) |")
    return lines


def augmented(
    names: tuple[str, ...], data: Data, images: torch.Tensor, targets: torch.Tensor
) -> Callable[[], object]:
    """A function that augments the batch; what takes normalised images gets such, which are there already."""
    made = [
        (part.normalized, part.build(data)) for part in Recipe().change(augmentation=list(names)).augmentation
    ]
    normalized = images.float() / 255
    key = BatchKey(seed=0, epoch=0, step=0, positions=generator(0, "order").permutation(BATCH))

    def run() -> object:
        batches = {False: (images, targets), True: (normalized, targets)}
        for of_normalized, augment in made:
            batches[of_normalized] = augment(*batches[of_normalized], key)
        return batches

    return run

"""The training step of ResNets.

Forward, loss, backward and SGD on one batch, again and again. *plain PyTorch*, *torchvision* and *timm* step as most
training scripts do: eager, float32, contiguous. The ladder below gives the plain network one thing after the other
that residua's plan chooses: channels_last and the fused optimiser, bfloat16, compilation. *residua* is the step that
`fit` runs, clipping, metrics and all. *convolutions alone* computes the network's convolutions and matrix
products and their gradients and nothing else: the limit. All networks of a table have equal parameter counts.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.front_door import EMULATED, Result

# name: residua's network, depth of the plain one, batch, pixels, classes
NETWORKS = {
    "ResNet-20": ("cifar_resnet20", 20, 128, 32, 10),
    "ResNet-56": ("cifar_resnet56", 56, 128, 32, 10),
    "ResNet-110": ("cifar_resnet110", 110, 128, 32, 10),
    "ResNet-18": ("resnet18", 18, 16, 224, 1000),
    "ResNet-50": ("resnet50", 50, 8, 224, 1000),
}
BASELINE = "plain PyTorch"
LIMIT = "convolutions alone"
_QUICK = ("ResNet-20",)


def options(parser: argparse.ArgumentParser) -> None:
    """Which networks, and how thoroughly."""
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, help="by default all of them")
    parser.add_argument("--rounds", type=int, default=7, help="turns of every candidate")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn, about")
    parser.add_argument(
        "--no-compile", action="store_true", help="leave out what is compiled: minutes a network"
    )


def measure(asked: argparse.Namespace) -> Result:
    """Every network's candidates in turns."""
    import torch

    from benchmarks.harness import measure as measure_case
    from benchmarks.harness import measure_peaks
    from residua.machine import compiler, machine, usable_cores

    torch.set_num_threads(usable_cores())
    skipped = [] if machine().has_fast_bf16 else [EMULATED]
    compile = not (asked.no_compile or asked.quick)
    if compile and (problem := compiler().problem):
        compile = False
        skipped.append(f"what is compiled: the C++ compiler: {problem}.")
    peers = _peers(skipped)
    rounds, seconds = (3, 0.2) if asked.quick else (asked.rounds, asked.seconds)
    peaks = measure_peaks()
    cases = []
    for name in asked.networks or (_QUICK if asked.quick else NETWORKS):
        print(f"step: {name}", file=sys.stderr, flush=True)
        case = _case(name, peers, compile=compile, batch=32 if asked.quick else None)
        found = measure_case(case, rounds=rounds, min_seconds=seconds, peaks=peaks)
        cases.append({**found, **_shares(found)})
    first = cases[0]
    best = first["candidates"][first["best"]]
    return Result(
        ratio=best["speedup"],
        spread=tuple(best["speedup_10_90"]),
        limit_share=best["limit_share"],
        evidence={"peaks": peaks, "cases": cases},
        skipped=skipped,
    )


def table(evidence: Mapping[str, Any]) -> list[str]:
    """A table a network."""
    lines = []
    for case in evidence["cases"]:
        lines += [
            f"**{case['case']}**, {case['rounds']} rounds in turns; ratio to *{case['baseline']}*, median (10-90 %):",
            "",
            "| candidate | images/s | ratio | share of the limit |",
            "|---|---:|---:|---:|",
        ]
        for name, row in case["candidates"].items():
            low, high = row["speedup_10_90"]
            share = f"{row['limit_share']:.0%}" if "limit_share" in row else ""
            lines.append(
                f"| {name} | {row['images_per_second']:,.1f} | {row['speedup']:.2f} ({low:.2f}-{high:.2f}) | {share} |"
            )
        lines.append("")
    return lines[:-1]


def _peers(skipped: list[str]) -> dict[str, Any]:
    """torchvision and timm, as far as they can be imported."""
    from benchmarks.peers import import_timm, import_torchvision

    found = {}
    for name, load in (("torchvision", import_torchvision), ("timm", import_timm)):
        try:
            found[name] = load()
        except ImportError:
            skipped.append(f"{name}: not installed.")
    return found


def _peer_network(peer: str, library: Any, depth: int) -> Any:
    from benchmarks.plain_resnet import CIFAR
    from benchmarks.train_step import cifar_resnet

    if depth in CIFAR:
        blocks = library.models.resnet.BasicBlock
        return cifar_resnet(blocks, CIFAR[depth])
    return (
        library.create_model(f"resnet{depth}")
        if peer == "timm"
        else getattr(library.models, f"resnet{depth}")()
    )


def _case(name: str, peers: Mapping[str, Any], *, compile: bool, batch: int | None) -> Any:
    import torch

    from benchmarks.convolutions import convolutions_alone
    from benchmarks.harness import Case
    from benchmarks.plain_resnet import plain_resnet
    from benchmarks.train_step import peer_step, residua_step
    from residua.analysis.cost import cost
    from residua.loading import create_model
    from residua.machine import machine, usable_cores
    from residua.train import Request, make_plan

    spec, depth, usual, side, classes = NETWORKS[name]
    batch = batch or usual
    torch.manual_seed(0)
    images, labels = torch.randn(batch, 3, side, side), torch.randint(0, classes, (batch,))
    changes: dict[str, Any] = {"shortcut": "B"} if side == 32 else {}
    network = create_model(spec, **changes)
    count = sum(p.numel() for p in network.parameters())
    plain = plain_resnet(depth, classes)
    networks = {BASELINE: plain} | {peer: _peer_network(peer, peers[peer], depth) for peer in peers}
    candidates: dict[str, Callable[[], object]] = {}
    for peer, model in networks.items():
        assert sum(p.numel() for p in model.parameters()) == count, f"{peer} is not the same network"
        candidates[peer] = peer_step(copy.deepcopy(model), images, labels)
    candidates["+ channels_last"] = peer_step(copy.deepcopy(plain), images, labels, tuned=True)
    bf16 = machine().has_fast_bf16
    if bf16:
        candidates["+ bf16"] = peer_step(copy.deepcopy(plain), images, labels, tuned=True, bf16=True)
    if compile:
        candidates["+ compiled"] = peer_step(
            copy.deepcopy(plain), images, labels, tuned=True, bf16=bf16, compile=True
        )
    for precision in ("float32", "bfloat16") if bf16 else ("float32",):
        short = {"float32": "fp32", "bfloat16": "bf16"}[precision]
        for word, asked in (("eager", "off"), ("compiled", "on")) if compile else (("eager", "off"),):
            model = create_model(spec, **changes)
            request = Request(compile=asked, precision=precision, threads=usable_cores(), device="cpu")
            plan = make_plan(request, model, 0.0, 0)
            candidates[f"residua {word} {short}"] = residua_step(model, plan, images, labels)
        candidates[f"{LIMIT} {short}"] = convolutions_alone(network, images, bf16=precision == "bfloat16")
    return Case(
        name=f"{name}, batch {batch}, {side} px",
        items=batch,
        flops=6
        * cost(network, (3, side, side)).multiply_adds,  # a multiply and an add are two; backward costs two
        candidates=candidates,
        baseline=BASELINE,
    )


def _shares(found: Mapping[str, Any]) -> dict[str, Any]:
    """Of every row of residua's the share of its precision's limit, round by round; and which of them is the best."""
    from residua.timing import spread

    rows = found["candidates"]
    own = [name for name in rows if name.startswith("residua")]
    for name in own:
        limit = rows[f"{LIMIT} {name.split()[-1]}"]["seconds"]
        shares = [alone / whole for alone, whole in zip(limit, rows[name]["seconds"], strict=True)]
        rows[name]["limit_share"] = spread(shares, 0.1).median
    return {"best": max(own, key=lambda name: rows[name]["speedup"])}

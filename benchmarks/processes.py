"""Two processes against one.

The training step of ResNet-20 on the same batches of 128 (random pixels; the step only, as `fit` runs it), in turns:
one process with one core, one process with all cores, and one process a core that share each batch (gloo), with the
batch statistics of the whole batch and, for comparison, with those of each share. *ratio*: the processes against one
process with all cores. *share of the limit*: against as many times the one core. What a step spends on the exchange of
gradients is timed alone. *Curves*: the same training of a ResNet-8 on the digits by one process, by two, and by two
whose batch norms are not synchronised.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.front_door import Result
from benchmarks.steppers import Steppers, serve, steppers
from residua.machine import usable_cores
from residua.runs.folder import RunFolder
from residua.timing import compare, spread
from residua.train.launch import MEETING

NETWORK, BATCH, SIDE = "cifar_resnet20", 128, 32
CURVE = {"model": "cifar_resnet8", "epochs": 10, "batch_size": 64}


def options(parser: argparse.ArgumentParser) -> None:
    """Rounds, and how long a turn lasts."""
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn, about")
    parser.add_argument("--network", default=NETWORK)
    parser.add_argument("--batch", type=int, default=BATCH)


def measure(asked: argparse.Namespace) -> Result:
    """Time the candidates in turns."""
    cores = usable_cores()
    if cores < 2:
        return Result(
            ratio=None, spread=None, limit_share=None, evidence={}, skipped=["this machine has one core"]
        )
    rounds, seconds = (3, 0.5) if asked.quick else (asked.rounds, asked.seconds)
    one, all_cores = "1 process, 1 core", f"1 process, {cores} cores"
    shared, apart = f"{cores} processes", f"{cores} processes, batch norms apart"
    told = (asked.network, asked.batch)
    with (
        together(1, 1, *told, "synchronised") as alone,
        together(1, cores, *told, "synchronised") as whole,
        together(cores, 1, *told, "synchronised") as synchronised,
        together(cores, 1, *told, "apart") as unsynchronised,
    ):
        timed = compare(
            {
                one: alone.step,
                all_cores: whole.step,
                shared: synchronised.step,
                apart: unsynchronised.step,
            },
            rounds=rounds,
            warmup=3,
            min_seconds=seconds,
            baseline=all_cores,
        )
        exchange_seconds, size = synchronised.ask("exchange")
    found = timed.speedup(shared)
    share = spread([a / (cores * b) for a, b in _pairs(timed, one, shared)], 0.1)
    candidates = timed.to_dict()["candidates"]
    for row in candidates.values():
        row["images_per_second"] = asked.batch / row["median_seconds"]
    return Result(
        ratio=found.median,
        spread=(found.low, found.high),
        limit_share=share.median,
        evidence={
            "network": asked.network,
            "batch": asked.batch,
            "cores": cores,
            "candidates": candidates,
            "exchange": {"seconds": exchange_seconds, "bytes": size},
            "curves": curves(1 if asked.quick else CURVE["epochs"]),
        },
    )


def _pairs(timed: Any, one: str, other: str) -> Iterator[tuple[float, float]]:
    return zip(timed.timings[one].seconds, timed.timings[other].seconds, strict=True)


def table(evidence: Mapping[str, Any]) -> Sequence[str]:
    """Speeds, the cost of the exchange, and the curves."""
    if "candidates" not in evidence:
        return []
    lines = [
        f"{evidence['network']}, batch {evidence['batch']} in all.",
        "",
        "| candidate | images/s | ratio (10-90 % of the rounds) |",
        "|---|---:|---:|",
    ]
    for name, row in evidence["candidates"].items():
        low, high = row["speedup_10_90"]
        lines.append(
            f"| {name} | {row['images_per_second']:,.1f} | {row['speedup']:.2f} ({low:.2f}-{high:.2f}) |"
        )
    exchange = evidence["exchange"]
    lines += [
        "",
        f"Adding up the gradients ({exchange['bytes'] / 1e6:.2f} MB) takes {1e3 * exchange['seconds']:.2f} ms a step.",
        "",
        "| ResNet-8, digits | loss of the first step | of the last epoch | validation loss | test accuracy |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, row in evidence["curves"].items():
        lines.append(
            f"| {name} | {row['first']:.6f} | {row['last']:.4f} | {row['validation']:.4f} | {row['test']:.2%} |"
        )
    return lines


@contextmanager
def together(count: int, threads: int, *told: object) -> Iterator[Steppers]:
    """``count`` processes of so many threads that share each step."""
    with (
        tempfile.TemporaryDirectory() as folder,
        steppers(__spec__.name, [threads, *told], environments(Path(folder), count)) as started,
    ):
        yield started


def environments(folder: Path, count: int) -> list[dict[str, str]]:
    """What the processes of one training are told."""
    shared = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), MEETING: str(folder / "meeting")}
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


def curves(epochs: int) -> dict[str, dict[str, float]]:
    """The same training by one process, by two, and by two whose batch norms see their own share alone."""
    found = {}
    for name, count, norms in (
        ("1 process", 1, "synchronised"),
        ("2 processes", 2, "synchronised"),
        ("2 processes, batch norms apart", 2, "apart"),
    ):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder, "run")
            with steppers(
                __spec__.name, ["fit", norms, epochs, run], environments(Path(folder), count)
            ) as both:
                both.ask("fit")
            trained = RunFolder(run)
            last = trained.metrics("epoch")[-1]
            found[name] = {
                "first": trained.metrics("step")[0]["loss"],
                "last": last["train_loss"],
                "validation": last["val_loss"],
                "test": (trained.result or {})["test_accuracy"],
            }
    return found


def main() -> None:
    """A process of the benchmark: it steps, or trains, whenever it is asked."""
    import residua.train.supervised as supervised

    if "apart" in sys.argv:
        supervised.shared = lambda *_: nullcontext()
    if sys.argv[1] == "fit":
        _, _, _, epochs, run = sys.argv
        from residua.train import fit

        changes = {"epochs": int(epochs), "batch_size": CURVE["batch_size"], "log_every": 1}
        how = {"recipe_changes": changes, "threads": 1, "track": "none", "progress": False}
        serve(fit=lambda: str(fit(CURVE["model"], "digits", run_dir=run, **how)))
    else:
        threads, network, batch, _ = sys.argv[1:]
        step, exchange = _made(int(threads), network, int(batch))
        serve(step=step, exchange=exchange)


def _made(
    threads: int, network: str, batch: int
) -> tuple[Callable[[], None], Callable[[], tuple[float, int]]]:
    """A step of the network as ``fit`` runs it, and the median time that the exchange of its gradients takes."""
    import torch

    from residua.data import load_data
    from residua.loading import create_model
    from residua.train import Request, make_plan, recipe
    from residua.train.processes import joined
    from residua.train.task import divide, make_task

    processes = joined().__enter__()  # until the process ends
    torch.manual_seed(0)
    model = create_model(network)
    request = Request(compile="off", threads=threads, processes=processes)
    plan = make_plan(request, model, 0.0, 0)
    torch.set_num_threads(plan.threads)
    model = model.to(memory_format=plan.memory_format)  # type: ignore[call-overload]
    task = make_task(model, recipe("quick", lr=0.01), plan, load_data("digits"))  # of any images with classes
    divide(task, "classification", processes)
    images = torch.randn(batch, 3, SIDE, SIDE).contiguous(memory_format=plan.memory_format)
    labels = torch.randint(0, 10, (batch,))

    def step() -> None:
        task.step((images, labels), 0.0)

    def exchange() -> tuple[float, int]:
        seconds = []
        for _ in range(30):
            for parameter in model.parameters():
                parameter.grad = torch.zeros_like(parameter)
            processes.wait()
            began = time.perf_counter()
            processes.add_gradients(model.parameters())
            seconds.append(time.perf_counter() - began)
        return median(seconds), sum(p.nbytes for p in model.parameters())

    return step, exchange


if __name__ == "__main__":
    main()

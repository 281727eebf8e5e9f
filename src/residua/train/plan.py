"""The plan: every automatic choice of a run, made once before its first step and obeyed when it resumes.

Convolution gradients differ in their last bits between thread counts, instruction sets and versions of torch; so
these belong to the plan, and a run resumes bit for bit only where they are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from residua.errors import ResiduaError, UsageError
from residua.machine import compiler, machine, usable_cores
from residua.runs.plan import Plan
from residua.train.compile import compile_scope
from residua.train.cost_model import worth_timing
from residua.train.processes import ALONE, Processes, check_device
from residua.train.speed import BACKWARD, seconds_of_steps
from residua.train.timed import Steps, compiled_where_it_pays, tuned

# Multiply-adds of a step below which a second thread costs more than it does: it waits more than it works, and on a
# busy machine the others wait for it.
_ONE_THREAD_WORK = 1e9


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for; ``"auto"`` and None leave the choice to ``make_plan``, ``tune`` to its clock."""

    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    workers: int | None = None
    compile: str = "auto"
    processes: Processes = ALONE
    memory: str | None = None
    channels_last: bool | None = None
    cuda_graphs: bool | None = None
    tf32: bool | None = None
    tune: bool = False


def make_plan(
    request: Request, model: nn.Module, step_work: float, steps: float, trial: Steps | None = None
) -> Plan:
    """Resolve every automatic choice, for a training of ``steps`` steps of ``step_work`` multiply-adds each.

    Rules make them, but whether to compile: that is timed on ``trial``, if it is worth it; without one nothing is
    compiled unasked. Raises UsageError for a device, precision or thread count that cannot be had here.
    """
    reasons: list[str] = []
    device, processes = choose_device(request.device), request.processes
    check_device(device, processes)
    cores = cores_of(processes)
    threads = request.threads
    if threads is None:
        threads = cores if step_work / processes.count > _ONE_THREAD_WORK or device != "cpu" else 1
        every = "every core" if processes.here == 1 else f"the cores, shared by {processes.here} processes"
        reasons.append(
            f"{threads} threads: " + (every if threads == cores else "a step is too small for more")
        )
    fast = machine().has_fast_bf16 if device == "cpu" else torch.cuda.is_bf16_supported()
    precision = _precision(request.precision, fast, reasons)
    plan = Plan(
        device=device,
        precision=precision,
        threads=threads,
        workers=cores if request.workers is None else request.workers,
        channels_last=request.channels_last is not False,
        compile="off",
        tf32=_tf32(request.tf32, device, precision, reasons),
        memory=_memory(request.memory),
        processes=processes.count,
        reasons=tuple(reasons),
        **_whereabouts(device),  # type: ignore[arg-type]  # texts all
    )
    return _compile(request, _tuned(request, plan, fast, trial), model, step_work, steps, trial)


def cores_of(processes: Processes) -> int:
    """The cores of this machine for each of the processes on it."""
    return max(1, usable_cores() // processes.here)


def divided_anew(plan: Plan, processes: Processes) -> Plan:
    """The plan for another number of processes, which is not bit for bit the same training."""
    if plan.processes == processes.count:
        return plan
    check_device(plan.device, processes)
    return plan.change(
        processes=processes.count,
        threads=cores_of(processes),
        compile=plan.compile if processes.count == 1 else "off",
        reasons=(*plan.reasons, f"from {plan.processes} to {processes.count} processes, as asked"),
    )


def check_here(plan: Plan, processes: Processes = ALONE) -> None:
    """Raise ResiduaError if this machine or these versions would not repeat the plan's run bit for bit."""
    check_device(plan.device, processes)
    if plan.processes != processes.count:
        raise ResiduaError(
            f"this run is trained by {plan.processes} process{'es' * (plan.processes > 1)}, here "
            f"{processes.count} would: it would not go on bit for bit; --processes {plan.processes} (or torchrun) "
            "goes on exactly, --allow-inexact all the same"
        )
    stored = plan.to_dict()
    for name, value in _whereabouts(plan.device).items():
        if stored[name] != value:
            raise ResiduaError(
                f"this run was made with {name.replace('_', ' ')} {stored[name]!r}, here it is {value!r}: it would not "
                "go on bit for bit; --allow-inexact goes on all the same, --retune also makes the choices anew"
            )


@contextmanager
def applied(plan: Plan) -> Iterator[None]:
    """Use the plan's threads and rounding while open, and give the process its own back afterwards."""
    matmul: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn
    before, rounding = torch.get_num_threads(), (matmul.allow_tf32, cudnn.allow_tf32)
    torch.set_num_threads(plan.threads)  # also where a launcher exported OMP_NUM_THREADS=1
    matmul.allow_tf32 = cudnn.allow_tf32 = plan.tf32
    try:
        yield
    finally:
        torch.set_num_threads(before)
        matmul.allow_tf32, cudnn.allow_tf32 = rounding


def choose_device(name: str) -> str:
    """The device that ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` means here. Raises UsageError if there is none."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device must be auto, cpu, cuda or cuda:N, not {name!r}") from error
    if device.type not in ("cpu", "cuda") or (device.type == "cpu" and device.index is not None):
        raise UsageError(f"--device must be auto, cpu, cuda or cuda:N, not {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"--device {name}: this machine has {torch.cuda.device_count()} CUDA devices")
    return str(device)


def _precision(name: str, fast: bool, reasons: list[str]) -> Literal["float32", "bfloat16"]:
    names = {"fp32": "float32", "float32": "float32", "bf16": "bfloat16", "bfloat16": "bfloat16"}
    if name != "auto":
        if name not in names:
            raise UsageError(f"--precision must be auto, float32 or bfloat16, not {name!r}")
        return names[name]  # type: ignore[return-value]  # a value of the table
    reasons.append("bfloat16: the machine has it" if fast else "float32: no fast bfloat16 on this machine")
    return "bfloat16" if fast else "float32"


def _tf32(asked: bool | None, device: str, precision: str, reasons: list[str]) -> bool:
    """Whether float32 products are rounded to TF32: on a GPU whose tensor cores have it, unless refused."""
    has = device != "cpu" and torch.cuda.get_device_capability(device) >= (8, 0)
    if asked and not has:
        raise UsageError(f"tf32 needs a GPU that has it, which {device} is not")
    if asked is None and has and precision == "float32":
        reasons.append("TF32: the GPU has it")
    return has if asked is None else asked


def _tuned(request: Request, plan: Plan, fast: bool, trial: Steps | None) -> Plan:
    """The plan with the choices that ``--tune`` has found the quickest, now or before, where the user made none."""
    if request.tune and trial is None:
        raise UsageError("--tune times the steps of a training")
    if (
        request.processes.count > 1
    ):  # each would have a clock of its own, and what was timed before was timed alone
        if request.tune:
            raise UsageError(
                "--tune is for one process; of several, name the choices: --threads, --precision"
            )
        return plan
    cores = usable_cores()
    values = {
        "precision": ["float32", "bfloat16"] if fast else ["float32"],
        "channels_last": [True, False],
        "threads": sorted({1, max(cores // 2, 1), cores}) if plan.device == "cpu" else [plan.threads],
    }
    made = {name: getattr(request, name) for name in values}
    left = {
        name: values[name]
        for name, value in made.items()
        if value in ("auto", None) and len(values[name]) > 1
    }
    asked = {name: getattr(plan, name) for name in values if name not in left}
    return tuned(plan, asked, left, trial, anew=request.tune)


def _compile(
    request: Request, plan: Plan, model: nn.Module, step_work: float, steps: float, trial: Steps | None
) -> Plan:
    """The plan, and whether it compiles."""

    def made(reason: str, **changes: Any) -> Plan:
        return plan.change(reasons=(*plan.reasons, reason), **changes)

    name, graphs = request.compile, request.cuda_graphs
    if name not in ("auto", "on", "off"):
        raise UsageError(f"--compile must be auto, on or off, not {name!r}")
    if graphs and (plan.device == "cpu" or name != "on"):
        raise UsageError("cuda_graphs goes with --compile on, on a GPU")
    if name == "off":
        return plan
    if request.processes.count > 1:
        if name == "on":
            raise UsageError("--compile on is for one process: several talk to each other inside the network")
        return made("not compiled: the processes talk to each other inside the network")
    problem = compiler().problem if plan.device == "cpu" else None
    if name == "on":
        if problem:
            raise UsageError(f"--compile on needs a C++ compiler, and {compiler().name}: {problem}")
        scope = compile_scope(model, plan.memory)
        return made("compiled: as asked", compile=scope, cuda_graphs=bool(graphs) and scope == "network")
    estimate = seconds_of_steps(steps, step_work / (1 + BACKWARD), device=plan.device, threads=plan.threads)
    if trial is None or not (request.tune or worth_timing(steps, estimate)):
        return made("not compiled: the training is short")
    if problem:
        return made(f"not compiled: C++ compiler {compiler().name}: {problem}")
    if not trial.compiles(plan):
        return made("not compiled: the steps of this task are not")
    return compiled_where_it_pays(
        plan, compile_scope(model, plan.memory), steps, trial, try_anyway=request.tune
    )


def _memory(name: str | None) -> Literal["full", "low"]:
    if name not in (None, "full", "low"):
        raise UsageError(f"--memory must be full or low, not {name!r}")
    return "low" if name == "low" else "full"


def _whereabouts(device: str) -> dict[str, str]:
    processor = torch.cuda.get_device_name(device) if device.startswith("cuda") else machine().cpu
    return {
        "torch": torch.__version__,
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "processor": processor,
    }

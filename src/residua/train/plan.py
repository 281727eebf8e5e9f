"""The plan: every automatic choice of a run, made once before its first step and obeyed when it resumes.

Convolution gradients differ in their last bits between thread counts, instruction sets and versions of torch; so
these belong to the plan, and a run resumes bit for bit only where they are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from residua.errors import ResiduaError, UsageError
from residua.machine import compiler, machine, usable_cores
from residua.runs.plan import Plan
from residua.train.compile import compile_scope
from residua.train.processes import ALONE, Processes, check_device

# Multiply-adds of a whole training above which compiling (about 40 s) earns its time back; measured: +25 to +35 % on
# one thread, +10 % on two.
_WORTH_COMPILING = 5e13

# Multiply-adds of a step below which a second thread costs more than it does: it waits more than it works, and on a
# busy machine the others wait for it.
_ONE_THREAD_WORK = 1e9


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for; ``"auto"`` and None leave the choice to ``make_plan``."""

    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    workers: int | None = None
    compile: str = "auto"
    processes: Processes = ALONE
    memory: str | None = None


def make_plan(request: Request, model: nn.Module, step_work: float, steps: float) -> Plan:
    """Resolve every automatic choice, for a training of ``steps`` steps of ``step_work`` multiply-adds each.

    Raises UsageError for a device, precision or thread count that cannot be had here.
    """
    reasons: list[str] = []
    device, processes = choose_device(request.device), request.processes
    check_device(device, processes)
    cores = cores_of(processes)
    workers = request.workers if request.workers is not None else cores
    threads = request.threads
    if threads is None:
        threads = cores if step_work / processes.count > _ONE_THREAD_WORK or device != "cpu" else 1
        every = "every core" if processes.here == 1 else f"the cores, shared by {processes.here} processes"
        reasons.append(
            f"{threads} threads: " + (every if threads == cores else "a step is too small for more")
        )
    memory = _memory(request.memory)
    precision = _precision(request.precision, device, machine().has_fast_bf16, reasons)
    return Plan(
        device=device,
        precision=precision,
        threads=threads,
        workers=workers,
        channels_last=True,
        compile=_compile(request, device, model, step_work * steps, memory, reasons),
        memory=memory,
        processes=processes.count,
        reasons=tuple(reasons),
        **_whereabouts(device),  # type: ignore[arg-type]  # texts all
    )


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
    """Use the plan's threads while open, and give the process its own back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(plan.threads)  # also where a launcher exported OMP_NUM_THREADS=1
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


def _precision(
    name: str, device: str, fast_on_cpu: bool, reasons: list[str]
) -> Literal["float32", "bfloat16"]:
    names = {"fp32": "float32", "float32": "float32", "bf16": "bfloat16", "bfloat16": "bfloat16"}
    if name != "auto":
        if name not in names:
            raise UsageError(f"--precision must be auto, float32 or bfloat16, not {name!r}")
        return names[name]  # type: ignore[return-value]  # a value of the table
    fast = fast_on_cpu if device == "cpu" else torch.cuda.is_bf16_supported()
    reasons.append("bfloat16: the machine has it" if fast else "float32: no fast bfloat16 on this machine")
    return "bfloat16" if fast else "float32"


def _compile(
    request: Request,
    device: str,
    model: nn.Module,
    work: float,
    memory: Literal["full", "low"],
    reasons: list[str],
) -> Literal["off", "network", "units"]:
    name = request.compile
    if name not in ("auto", "on", "off"):
        raise UsageError(f"--compile must be auto, on or off, not {name!r}")
    if name == "off":
        return "off"
    if request.processes.count > 1:
        if name == "on":
            raise UsageError("--compile on is for one process: several talk to each other inside the network")
        reasons.append("not compiled: the processes talk to each other inside the network")
        return "off"
    problem = compiler().problem if device == "cpu" else None
    if name == "auto" and work < _WORTH_COMPILING:
        reasons.append("not compiled: the training is short")
        return "off"
    if problem:
        if name == "on":
            raise UsageError(f"--compile on needs a C++ compiler, and {compiler().name}: {problem}")
        reasons.append(f"not compiled: C++ compiler {compiler().name}: {problem}")
        return "off"
    reasons.append("compiled: the training is long enough" if name == "auto" else "compiled: as asked")
    return compile_scope(model, memory)  # type: ignore[return-value]  # one of the three


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

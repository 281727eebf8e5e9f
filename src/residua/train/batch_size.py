"""``batch_size = "auto"``: the largest batch whose step fits into the memory that this process may use.

What a step holds grows in proportion to its samples, from what it holds without any: two small steps on copies of the
network tell the line, the line tells the largest power of two, and a step of that size shows that it fits.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from residua.data import AnyData
from residua.errors import UsageError
from residua.machine.limits import memory
from residua.machine.peak import forget_peak, held, peak
from residua.runs.plan import Plan
from residua.spec import Recipe
from residua.train.optimizers.sgd import SGD
from residua.train.plan import Request, applied
from residua.train.prepare import plan_for, task_for
from residua.train.reasons import Reason

LARGEST = ("batch_size", "auto")  # how a change of a recipe asks for it
_REPLACED = ("batch_size", "lr", "epochs")  # choices whose reasons no longer hold then
MOST = 4096  # samples of a step; rates in proportion train up to twice that (Goyal et al. 2017, Figure 1)
STEPS = 8  # that an epoch keeps at least
ROOM = 0.8  # of the memory that is free; the rest is for evaluations, compiled code and other processes
_LATE = 0.999  # of a training: everything learns by then
_FIRST = 16  # samples of the first step
_TOLD = 64e6  # bytes between two steps that tell a line: less is lost in what the allocator keeps


def with_largest_batch(
    network: Any,
    recipe: Recipe,
    data: AnyData,
    request: Request,
    said: Mapping[str, Any],
    reasons: Sequence[Reason],
) -> tuple[Recipe, tuple[Reason, ...]]:
    """The recipe with the largest batch that fits, and the reasons for what is chosen, that for the batch among them.

    ``said`` are the fields that the user has set. Raises UsageError if not even the smallest batch fits, and where the
    system does not tell its memory.
    """
    plan = plan_for(network, recipe, data, replace(request, compile="off", cuda_graphs=None, tune=False))
    least = 2 ** math.ceil(math.log2(2 * recipe.accumulate))  # parts of one sample have no batch statistics
    most = max(2 ** int(math.log2(max(min(MOST, len(data.train) // STEPS), 1))), least)
    before, free = held(plan.device), _free(plan.device)
    if before is None or free is None:
        raise UsageError("this system does not tell how much memory is free: say --batch-size as a number")
    limit = before + ROOM * free
    trained = copy.deepcopy(network)
    with applied(plan), torch.random.fork_rng():
        size, used = largest(
            lambda size: _peak(trained, recipe.change(batch_size=size), data, plan),
            least=least,
            most=most,
            limit=limit,
        )
    of_step, allowed = used - before, limit - before
    why = f"a step takes {of_step / 1e9:.2f} of {allowed / 1e9:.2f} GB"
    if size == most:
        why += (
            f"; {MOST} is the most"
            if most == MOST
            else f"; twice that leaves an epoch fewer than {STEPS} steps"
        )
    changed = with_batch(recipe, size, said)
    if changed.lr != recipe.lr:
        why += f"; rate {changed.lr:g}: {recipe.lr:g} for batches of {recipe.batch_size}, and in proportion"
    elif "lr" not in said:
        why += f"; the rate of {recipe.optimizer.kind} stays at {recipe.lr:g}"
    kept = (reason for reason in reasons if reason.what not in _REPLACED)
    return changed, (*kept, Reason("batch_size", f"{size}", why))


def with_batch(recipe: Recipe, size: int, said: Mapping[str, Any]) -> Recipe:
    """The recipe for batches of a size. The rate of SGD goes with it (Goyal et al. 2017, sec. 2.1), unless ``said``."""
    scales = isinstance(recipe.optimizer, SGD) and "lr" not in said
    lr = recipe.lr * size / recipe.batch_size if scales else recipe.lr
    return recipe.change(batch_size=size, lr=lr)


def largest(peak_of: Callable[[int], float], *, least: int, most: int, limit: float) -> tuple[int, float]:
    """The largest power of two from ``least`` to ``most`` whose step holds at most ``limit`` bytes; and what it holds.

    ``peak_of(size)`` takes a step. Raises UsageError if ``least`` does not fit.
    """
    first = size = min(max(least, _FIRST), most)
    found = {size: peak_of(size)}
    while size < most and found[size] <= limit and found[size] - found[first] < _TOLD:
        size *= 2
        found[size] = peak_of(size)
    if size < most and found[size] <= limit:
        a_sample = (found[size] - found[first]) / (size - first)
        size = min(2 ** int(math.log2(size + (limit - found[size]) / a_sample)), most)
    while True:
        if size not in found:
            found[size] = peak_of(size)
        if found[size] <= limit:
            return size, found[size]
        if size <= least:
            raise UsageError(
                f"a step of {least} samples takes more memory than there is: --memory low takes less"
            )
        size //= 2


def _peak(network: nn.Module, recipe: Recipe, data: AnyData, plan: Plan) -> float:
    """The most that this process holds in a step, in bytes; infinite where there was not enough."""
    forget_peak(plan.device)
    try:
        task = task_for(network, recipe, data, plan)
        whole = recipe.change(resolution=None)
        batches = data.train_batches(whole, seed=0, device=plan.device, memory_format=plan.memory_format)
        with closing(batches.epoch(0)) as epoch:
            task.step(next(epoch), _LATE)
    except torch.OutOfMemoryError:
        return math.inf
    except RuntimeError as error:
        if "allocate" not in str(error):  # of the allocator of the CPU
            raise
        return math.inf
    finally:
        network.zero_grad(set_to_none=True)
    most = peak(plan.device)
    return math.inf if most is None else most


def _free(device: str) -> int | None:
    """Bytes that may still be taken."""
    if not device.startswith("cuda"):
        return memory()[1]
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info(device)[0]

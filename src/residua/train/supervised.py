"""The supervised step: forward, loss, backward, clip, step. Tasks bring the loss, and what they sum up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import update_bn

from residua.errors import UsageError
from residua.nn.segments import recomputing
from residua.nn.statistics import StatisticsOfParts
from residua.runs.plan import Plan
from residua.spec import Metric, Recipe
from residua.train.accumulate import above_zero, added, divide_gradients, parts_of
from residua.train.compile import compiled
from residua.train.compiled_code import KeptCode
from residua.train.layers import depths, held
from residua.train.processes import ALONE, Processes
from residua.train.shared_batch import cut, shared

Sums = dict[str, Any]  # over a batch: tensors of any shape, or lists; "count" among them


def means(sums: Mapping[str, Tensor]) -> dict[str, float]:
    """Each sum over the count of samples."""
    if not sums:
        return {}
    count = float(sums["count"])
    return {name: float(value) / count for name, value in sums.items() if name != "count" and count}


class Supervised:
    """A ``Task`` of one network that learns from targets.

    Args:
        network: it stays eager and unwrapped: only the step is compiled.
        recipe: optimiser, clipping, accumulation.
        plan: precision, compilation, recomputation.
        primary: what the network is judged by.
        loss: of a training batch: the scalar to descend, a mean over samples, and the sums that are logged (``"loss"``
            and ``"count"``, that of the samples that it is the mean over).
        evaluate: the sums of a batch in evaluation mode; under autocast, as the loss.
        metrics: the figures of an evaluation, from the sums of all of its batches.
        prepare: makes of a training batch what the loss is computed of; never compiled.
        compiles: False where shapes differ from batch to batch.
        divides: False where the loss of a batch is no mean, weighted by ``"weight"`` or else ``"count"``, of the losses
            of its parts; several processes cannot share it then.

    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        plan: Plan,
        *,
        primary: Metric,
        loss: Callable[[Any], tuple[Tensor, Sums]],
        evaluate: Callable[[Any], Sums],
        metrics: Callable[[Mapping[str, Any]], dict[str, float]] = means,
        prepare: Callable[[Any], Any] = lambda batch: batch,
        compiles: bool = True,
        divides: bool = True,
    ) -> None:
        self.network, self.recipe, self.plan = network, recipe, plan
        self.networks = {"model": network}
        self.optimizers = {"model": make_optimizer(network, recipe)}
        self.primary, self.metrics = primary, metrics
        self._prepare, self._evaluate = prepare, evaluate
        self._divides, self._processes = divides, ALONE
        self.compiles = compiles
        self._code = KeptCode(network, plan)
        scope = plan.compile if compiles else "off"
        self._loss: Callable[[Any], tuple[Tensor, Sums]] = loss
        self._descend = self._forward_and_backward
        if scope == "units":  # until the backward pass is done, which may compute some of them again
            self._descend = compiled(self._descend, network, scope)
        else:
            self._loss = compiled(loss, network, scope, graphs=plan.cuda_graphs)

    def divide(self, processes: Processes) -> None:
        """Share every step from now on; each process is given the whole batch, and the whole batch's sums come back."""
        if not self._divides:
            raise UsageError("a task whose loss is no mean over its samples is trained by one process")
        self._processes = processes

    def step(self, batch: Any, progress: float) -> Sums:
        """One step on a batch."""
        tuning = self.recipe.finetuning
        frozen = tuning is not None and tuning.frozen(progress)
        self.network.train()
        batch = self._prepare(batch)
        low = self.plan.memory == "low"
        with self._code.at_hand(), recomputing(self.network, low), held(self.network, frozen):
            sums = self._descend(batch) if self.recipe.accumulate == 1 else self._descend_in_parts(batch)
        del sums["weight"]
        if self._processes.count > 1:
            self._processes.add_gradients(self.network.parameters())
        take_step(self.optimizers["model"], self.recipe)
        return sums

    def _forward_and_backward(self, batch: Any, of_sum: bool = False) -> Sums:
        """Add the gradients of the mean over a batch, or of its sum by ``"weight"``, to those that there are."""
        with autocast(self.plan), shared(self.network, self._processes, batch):
            loss, sums = self._loss(cut(batch, self._processes))
            sums.setdefault("weight", sums["count"])
            loss, sums = self._of_all(loss, sums)
            (loss * sums["weight"] if of_sum else loss).backward()
        return sums

    def _of_all(self, loss: Tensor, sums: Sums) -> tuple[Tensor, Sums]:
        """This process's part of the whole batch's loss, and the whole batch's sums: shares may be of unlike size."""
        if self._processes.count == 1:
            return loss, sums
        whole = self._processes.total({**sums, "loss": loss.detach() * sums["weight"]})
        whole["loss"] *= whole["count"] / whole["weight"]
        return loss * (sums["weight"].to(whole["weight"]) / whole["weight"]).to(loss), whole

    def _descend_in_parts(self, batch: Any) -> Sums:
        """Gradients of the mean over the batch, from parts that count by their weights."""
        statistics, sums, total = StatisticsOfParts(self.network), {}, 0
        for samples, part in parts_of(batch, self.recipe.accumulate):
            more = self._descend(part, True)
            more["loss"] = more["loss"] * (more["weight"] / above_zero(more["count"]))
            sums, total = added(sums, more), total + samples
            statistics.add(samples)
        statistics.settle(total)
        weight = above_zero(sums["weight"])
        sums["loss"] = sums["loss"] * (sums["count"] / weight)
        divide_gradients(list(self.network.parameters()), weight)
        return sums

    @torch.no_grad()
    def evaluate(self, batch: Any) -> Sums:
        """Sums over the batch, in evaluation mode."""
        self.network.eval()
        with autocast(self.plan):
            return self._evaluate(batch)

    def recount(self, batches: Iterable[Any]) -> None:
        """Batch statistics are those of some training batches, each of them weighing alike."""
        with autocast(self.plan):
            update_bn((self._prepare(batch) for batch in batches), self.network)


def make_optimizer(model: nn.Module, recipe: Recipe) -> Optimizer:
    """The optimiser that the recipe asks for; norms and biases (1-d parameters) decay as ``decay_norm`` says.

    In fine-tuning, what stands at one depth is a group with a rate of its own. Biases have theirs times ``bias_lr``.
    """
    decay_all = recipe.optimizer.decays_norms if recipe.decay_norm is None else recipe.decay_norm
    groups: list[dict[str, Any]] = []
    for (share, of_bias), layer in _shares(model, recipe).items():
        decayed = [p for p in layer if decay_all or p.ndim > 1]
        others = [p for p in layer if not (decay_all or p.ndim > 1)]
        for parameters, decay in ((decayed, recipe.weight_decay), (others, 0.0)):
            rates = {"lr": recipe.lr * share * of_bias, "weight_decay": decay / of_bias}
            groups.append({"params": parameters, **rates})
    optimizer = recipe.optimizer.build([group for group in groups if group["params"]], recipe.lr)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer


def _shares(model: nn.Module, recipe: Recipe) -> dict[tuple[float, float], list[nn.Parameter]]:
    """The parameters that learn, by their share of the rate and the factor of biases; by default all alike."""
    at = {} if recipe.finetuning is None else depths(model)
    shares: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            share = 1.0 if recipe.finetuning is None else recipe.finetuning.rate(at[name])
            of_bias = recipe.bias_lr if name.endswith("bias") else 1.0
            shares.setdefault((share, of_bias), []).append(parameter)
    return shares


def take_step(optimizer: Optimizer, recipe: Recipe) -> None:
    """Clip the gradients if the recipe says so, step, and drop them."""
    if recipe.clip_norm is not None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def autocast(plan: Plan) -> AbstractContextManager[Any]:
    """The plan's precision, while open."""
    enabled = plan.precision == "bfloat16"
    return torch.autocast(torch.device(plan.device).type, torch.bfloat16, enabled=enabled)

"""The judge of generated images: a small classifier, trained here on the same data, whose features are compared.

Published Frechet distances (Heusel et al. 2017) use the features of an Inception network trained on ImageNet; those
say little of digits, as do those of the network that residua ships. The judge is a ``cifar_resnet8`` (64 features,
those that its fully connected layer sees). Its start and its batches follow from a seed of its own: runs on the same
data have the same judge whatever their seed, so that their distances can be compared with each other, and with no
published ones.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from residua.data import Data
from residua.nn import ImageClassifier, place
from residua.registry import build, model_spec
from residua.runs.plan import Plan
from residua.train.recipes import recipe
from residua.train.seeding import seed_torch
from residua.train.task import make_task

_SEED = 0
_RECIPE = recipe("quick", name="judge", iterations=400)


class Judge(nn.Module):
    """A classifier for ``data``, untrained until ``train_once``. Saved with the run, it knows whether it is trained."""

    trained: Tensor

    def __init__(self, data: Data, plan: Plan) -> None:
        super().__init__()
        spec = model_spec("cifar_resnet8", **data.model_changes())
        with torch.random.fork_rng(devices=[]):
            seed_torch(_SEED, "judge")
            self.network: ImageClassifier = build(spec)
        self.register_buffer("trained", torch.tensor(False))
        place(self, plan.device, plan.memory_format)

    def forward(self, images: Tensor) -> Tensor:
        """Features ``(N, 64)`` of normalised images ``(N, C, H, W)``."""
        return self.network.forward_head(self.network.forward_features(images), pre_logits=True)

    def train_once(self, data: Data, plan: Plan) -> None:
        """Train on the training images unless that is done; torch's generators stay where they were."""
        if self.trained:
            return
        task = make_task(self.network, _RECIPE, plan, data)
        batches = data.train_batches(
            _RECIPE, seed=_SEED, device=plan.device, memory_format=plan.memory_format
        )
        total, optimizer = _RECIPE.iterations or 0, task.optimizers["model"]
        stream = itertools.chain.from_iterable(map(batches.epoch, itertools.count()))
        cuda = [torch.device(plan.device)] if plan.device.startswith("cuda") else []
        with torch.random.fork_rng(devices=cuda):
            for step, batch in enumerate(itertools.islice(stream, total)):
                for group in optimizer.param_groups:
                    group["lr"] = group["initial_lr"] * _RECIPE.lr_factor(step / total)
                seed_torch(_SEED, "judge step", step)
                task.step(batch, step / total)
        self.network.zero_grad(set_to_none=True)
        self.eval()
        self.trained.fill_(True)

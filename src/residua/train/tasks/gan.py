"""A generator against a discriminator with the hinge loss (Miyato et al. 2018, eq. 16 and 17).

A training batch is cut into ``critic_steps`` equal parts: each is one step of the discriminator, and a step of the
generator follows. So where the training stands is the number of batches alone, and a run resumes at any of them.

The primary metric is the Frechet distance between held-out images and as many generated ones, on the features of a
classifier trained here (residua.train.judge). Few images make it larger: compare it only with distances over as many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from residua.analysis.frechet import Gaussian, frechet_distance
from residua.data import AnyData, Data
from residua.data.batches.keyed import generator
from residua.errors import UsageError
from residua.files import write_atomic
from residua.nn.gan import GANPair
from residua.nn.segments import recomputing
from residua.parts import register
from residua.runs.layout import SAMPLES
from residua.runs.plan import Plan
from residua.spec import Metric, Recipe, TaskSpec
from residua.train.accumulate import parts_of
from residua.train.compile import compiled
from residua.train.compiled_code import KeptCode
from residua.train.judge import Judge
from residua.train.supervised import autocast, make_optimizer, take_step

_GRID = 8  # samples a side of samples.png
_CELL = 32  # pixels a side that small samples are enlarged to


@register
@dataclass(frozen=True, kw_only=True)
class Gan(TaskSpec):
    """Generated images like those of the data; how many steps the discriminator has is the network's."""

    kind: ClassVar[str] = "gan"
    primary: ClassVar[Metric] = Metric("frechet_distance", "min")

    def make(self, network: GANPair, recipe: Recipe, plan: Plan, data: AnyData) -> Adversarial:
        """Raises UsageError for data that are no images of the size that the generator makes."""
        return Adversarial(network, recipe, plan, data)


class Adversarial:
    """Hinge loss, ``critic_steps`` discriminator steps for one of the generator, both by the recipe's optimiser."""

    primary = Gan.primary

    def __init__(self, model: GANPair, recipe: Recipe, plan: Plan, data: AnyData) -> None:
        self.model, self.recipe, self.plan, self.data = model, recipe, plan, _images(model, data)
        self.judge = Judge(self.data, plan)
        self.networks = {"model": model, "judge": self.judge}
        self.optimizers = {
            "generator": make_optimizer(model.generator, recipe),
            "discriminator": make_optimizer(model.discriminator, recipe),
        }
        like = {"device": plan.device, "dtype": torch.float32}
        self._mean = torch.tensor(self.data.mean, **like).view(1, -1, 1, 1)
        self._std = torch.tensor(self.data.std, **like).view(1, -1, 1, 1)
        self._code = {name: KeptCode(model, plan) for name in self.optimizers}
        self._critic_loss, self._generator_loss = self._eager_critic_loss, self._eager_generator_loss
        if plan.compile == "units":  # until the backward pass is done, as in ``Supervised``
            self._descend = compiled(self._descend, model, plan.compile)
        else:
            self._critic_loss = compiled(self._critic_loss, model, plan.compile)
            self._generator_loss = compiled(self._generator_loss, model, plan.compile)

    def step(self, batch: Any, progress: float) -> dict[str, Tensor]:
        """One step of the discriminator on each part of the batch, then one of the generator."""
        self.judge.train_once(self.data, self.plan)
        self.model.train()
        images = (batch[0] * self._std + self._mean) * 2 - 1  # what tanh can make: [-1, 1]
        total = torch.zeros((), device=images.device)
        parts = images.chunk(self.model.spec.critic_steps)
        for real in parts:
            loss = self._descend("discriminator", self._critic_loss, real, self._latents(len(real)))
            total += loss * len(real)
        loss = self._descend("generator", self._generator_loss, self._latents(len(parts[0])))
        return {
            "loss": total,
            "generator_loss": loss * len(images),
            "count": torch.tensor(len(images)),
        }

    def evaluate(self, batch: Any) -> dict[str, Tensor]:
        """Moments of the judge's features of the batch and of as many generated images, and the judge's hits."""
        self.judge.train_once(self.data, self.plan)
        self.model.eval()
        self.judge.eval()
        images, labels, positions = batch
        with torch.no_grad():
            made = (self._made(positions) + 1) / 2
            features = {"real": self.judge(images), "made": self.judge((made - self._mean) / self._std)}
            hits = (self.judge.network.head.fc(features["real"]).argmax(1) == labels).sum()
        sums = {"judge_accuracy": hits, "count": torch.tensor(len(images))}
        for name, values in features.items():
            sums |= {name: values.double().sum(0), f"{name}_products": values.double().T @ values.double()}
        return sums

    def metrics(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """The Frechet distance, and the judge's accuracy on the same images: what its features are worth."""
        count = float(sums["count"])
        real, made = (
            Gaussian.of_sums(sums[name], sums[f"{name}_products"], count) for name in ("real", "made")
        )
        return {
            "frechet_distance": frechet_distance(real, made),
            "judge_accuracy": float(sums["judge_accuracy"]) / count,
        }

    def illustrate(self, folder: Path) -> None:
        """Write ``samples.png``: the images that the generator makes of the first latents of an evaluation."""
        self.model.eval()
        with torch.no_grad():
            made = self._made(np.arange(_GRID * _GRID)).cpu()
        pixels = ((made + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()  # (N, S, S, C)
        pixels = np.pad(
            pixels, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=128
        )  # a line between samples
        side = pixels.shape[1]
        grid = pixels.reshape(_GRID, _GRID, side, side, -1).swapaxes(1, 2)
        grid = grid.reshape(_GRID * side, _GRID * side, -1)[:-1, :-1]
        picture = Image.fromarray(grid.squeeze(2) if grid.shape[2] == 1 else grid)
        scale = max(_CELL // (side - 1), 1)
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
        write_atomic(folder / SAMPLES, lambda path: picture.save(path, "png"))

    def _descend(self, name: str, loss_of: Any, *inputs: Tensor) -> Tensor:
        """One optimiser step of one network; the other gets no gradient."""
        optimizer = self.optimizers[name]
        own = [p for group in optimizer.param_groups for p in group["params"]]
        total = torch.zeros((), device=inputs[0].device)
        with self._code[name].at_hand(), recomputing(self.model, self.plan.memory == "low"):
            for samples, part in parts_of(inputs, self.recipe.accumulate):
                with autocast(self.plan):
                    loss = loss_of(*part) * (samples / len(inputs[0]))
                    loss.backward(inputs=own)
                total += loss.detach()
        take_step(optimizer, self.recipe)
        return total

    def _eager_critic_loss(self, real: Tensor, latents: Tensor) -> Tensor:
        with torch.no_grad():
            made = self.model.generator(latents)
        scores = self.model.discriminator(torch.cat([real, made.to(real.dtype)])).float()
        return (1 - scores[: len(real)]).relu().mean() + (1 + scores[len(real) :]).relu().mean()

    def _eager_generator_loss(self, latents: Tensor) -> Tensor:
        return -self.model(latents).float().mean()

    def _latents(self, count: int) -> Tensor:
        return torch.randn(count, self.model.spec.latent, device=self.plan.device)

    def _made(self, positions: np.ndarray) -> Tensor:
        """Images in [-1, 1] for places in a split: the same latents at each evaluation, whatever was drawn before."""
        random = generator(0, "latents", int(positions[0]))
        latents = torch.from_numpy(
            random.standard_normal((len(positions), self.model.spec.latent), np.float32)
        )
        with autocast(self.plan):
            return self.model.generator(latents.to(self.plan.device)).float()


def _images(model: GANPair, data: AnyData) -> Data:
    if not isinstance(data, Data) or data.shape != model.spec.image_shape:
        wanted, given = ("x".join(map(str, shape)) for shape in (model.spec.image_shape, data.shape))
        raise UsageError(
            f"{model.spec.name} makes images of {wanted}, the samples of {data.kind} are {given}"
        )
    return data

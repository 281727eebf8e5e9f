"""How much of a training step stochastic depth saves, measured side by side in one process."""

from __future__ import annotations

import copy
import dataclasses
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from residua.analysis.finding import Finding, rows_of_figures
from residua.errors import UsageError
from residua.looks.base import Look, Subject
from residua.parts import register


@register
@dataclass(frozen=True, kw_only=True)
class Skipping(Look):
    """A network with stochastic depth beside the same one without, step by step in turns on one thread.

    ``work_saved``: the expected share of the multiply-adds of a step that is skipped; ``time_saved``: the share of the
    time of a training step (forward, backward, SGD), the mean of all rounds of the one over that of the other. Percent.
    With ``shape``, (C, H, W), a step is on ``batch`` images of noise of that size, instead of those that are shown.
    """

    kind: ClassVar[str] = "skipping"
    about: ClassVar[str] = "how much of a training step stochastic depth saves"
    split: ClassVar[str] = "train"

    rounds: int = 12
    shape: tuple[int, ...] | None = None
    batch: int = 128

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        import torch

        from residua.analysis.cost import cost
        from residua.nn import residual_units
        from residua.registry import build
        from residua.train.seeding import seed_torch

        network = subject.model
        subject = subject if self.shape is None else self._of_noise(subject, self.shape)
        units = residual_units(network)
        if not units:
            raise UsageError(f"{type(network).__name__} has no residual units that could be skipped")
        counted = cost(network, tuple(subject.images.shape[1:]))
        inside = {
            name: sum(
                layer.multiply_adds for layer in counted.layers if layer.name.startswith(f"{name}.branch.")
            )
            for name in units
        }
        skipped = sum(unit.drop_path.rate * inside[name] for name, unit in units.items())
        with torch.random.fork_rng(devices=[]):
            seed_torch(subject.seed, "init")
            without = build(subject.spec.change(drop_path=0.0))
            steps = [_step(copy.deepcopy(net).train(), subject) for net in (network, without)]
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                for step in steps:
                    step()
                pairs = [tuple(map(_seconds, steps)) for _ in range(self.rounds)]
            finally:
                torch.set_num_threads(threads)
        dropped, whole = (statistics.fmean(times) for times in zip(*pairs, strict=True))
        work, saved = 100 * skipped / counted.multiply_adds, 100 * (1 - dropped / whole)
        rates = 100 * statistics.fmean(unit.drop_path.rate for unit in units.values())
        return Finding(
            kind=self.kind,
            title="What stochastic depth saves",
            **rows_of_figures({"work_saved": work, "time_saved": saved, "branches_skipped": rates}),
            sentence=f"With {rates:.1f} % of the branches skipped, {work:.1f} % of a step's multiply-adds and "
            f"{saved:.1f} % of its time are saved.",
        )

    def _of_noise(self, subject: Subject, shape: tuple[int, ...]) -> Subject:
        import torch

        images = torch.randn(self.batch, *shape, generator=torch.Generator().manual_seed(subject.seed))
        return dataclasses.replace(subject, images=images, labels=torch.zeros(self.batch, dtype=torch.int64))


def _step(model: Any, subject: Subject) -> Callable[[], None]:
    import torch
    import torch.nn.functional as F

    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(subject.images), subject.labels).backward()
        optimizer.step()

    return step


def _seconds(step: Callable[[], None]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began

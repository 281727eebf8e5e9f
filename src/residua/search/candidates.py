"""Which networks, image sizes and starts are worth a try on some data, the likeliest first."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from residua.data.facts import Facts
from residua.errors import UsageError
from residua.spec import ModelSpec
from residua.train.choices import SIZES, choose, expected_seconds
from residua.train.defaults import LARGE

SMALL_NETWORKS = ("cifar_resnet8", "cifar_resnet20", "cifar_resnet32", "cifar_resnet56")
LARGE_NETWORKS = ("resnet18", "resnet34", "resnet50")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A training to try: a network, the size of its images (None: they have one), its start, and how long it takes."""

    spec: ModelSpec
    shape: tuple[int, ...]  # of a sample
    image_size: int | None
    weights: str  # bundled or random
    epochs: int
    seconds: float  # expected

    @property
    def name(self) -> str:
        """Its own among the candidates: that of its run folder."""
        size = "" if self.image_size is None else f"-{self.image_size}px"
        return f"{self.spec.name}{size}{'' if self.weights == 'random' else f'-{self.weights}'}"


def candidates(
    facts: Facts,
    *,
    model: str | None = None,
    recipe: str | None = None,
    recipe_changes: Mapping[str, Any] | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> list[Candidate]:
    """What ``residua train`` alone would choose, and then others, those first that cost about as much as it.

    Arguments as of ``choose``; with a ``model``, only the size of the images is tried. Raises UsageError for data whose
    samples are no images.
    """
    if facts.shape is not None and len(facts.shape) != 3:
        raise UsageError("--budget tries networks for images, which these data are not")

    def candidate(**asked: Any) -> Candidate:
        how = {"model": model, "recipe": recipe, "recipe_changes": recipe_changes, **asked}
        choice = choose(facts, device=device, threads=threads, **how)
        return Candidate(
            spec=choice.model,
            shape=choice.shape,
            image_size=choice.image_size,
            weights=choice.weights or "random",
            epochs=choice.recipe.epochs,
            seconds=expected_seconds(
                choice.model, choice.recipe, choice.steps, choice.shape, device=device, threads=threads
            ),
        )

    first = candidate()
    native = facts.shape[-1] if facts.shape is not None else facts.side or statistics.median_low(facts.sides)
    sides = [None] if facts.shape is not None else [side for side in SIZES if side <= native] or [SIZES[-1]]
    others = [
        candidate(model=name, image_size=side, weights="random")
        for side in sides
        for name in ((model,) if model else LARGE_NETWORKS if (side or native) >= LARGE else SMALL_NETWORKS)
    ]
    others.sort(key=lambda other: abs(math.log(other.seconds / first.seconds)))
    return [first, *(other for other in others if other.name != first.name)]

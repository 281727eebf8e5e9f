"""Learning-rate schedules: pure functions of progress in [0, 1], so that a resumed run cannot be at another rate."""

from __future__ import annotations

import math
from collections.abc import Callable

from residua.spec import Recipe


def _constant(recipe: Recipe, progress: float) -> float:
    return 1.0


def _step(recipe: Recipe, progress: float) -> float:
    return recipe.gamma ** sum(progress >= milestone for milestone in recipe.milestones)


def _cosine(recipe: Recipe, progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * _after_warmup(recipe, progress)))


def _linear(recipe: Recipe, progress: float) -> float:
    return 1 - _after_warmup(recipe, progress)


_SHAPES: dict[str, Callable[[Recipe, float], float]] = {
    "constant": _constant,
    "step": _step,
    "cosine": _cosine,
    "linear": _linear,
}


def lr_factor(recipe: Recipe, progress: float) -> float:
    """The factor of the recipe's learning rate at ``progress`` in [0, 1] of the training."""
    if progress < recipe.warmup:
        if recipe.warmup_shape == "constant":
            return recipe.warmup_factor
        return recipe.warmup_factor + (1 - recipe.warmup_factor) * progress / recipe.warmup
    return _SHAPES[recipe.schedule](recipe, progress)


def _after_warmup(recipe: Recipe, progress: float) -> float:
    return (progress - recipe.warmup) / (1 - recipe.warmup) if recipe.warmup < 1 else 1.0

"""The recipe for data that nobody has written one for: enough steps whatever the number of images, and a safe rate."""

from __future__ import annotations

import math
from typing import Any

from residua.data.facts import Facts
from residua.registry import family
from residua.spec import ModelSpec, Recipe
from residua.train.defaults import is_settled, usual_recipe
from residua.train.optimizers.sgd import SGD
from residua.train.reasons import Reason
from residua.train.recipes import recipe as find_recipe

UPDATES = 600  # the fewest steps in which a network with batch norm learns from random weights
BATCHES = (64, 32, 16)  # images a step: the first with which the recipe's epochs have so many steps
TASKS = ("classification", "regression")  # those whose recipes follow the number of samples


def chosen_recipe(
    facts: Facts, model: ModelSpec, recipe: str | Recipe | None, said: dict[str, Any]
) -> tuple[Recipe, tuple[Reason, ...]]:
    """The recipe for a network on some data, and the reasons for what the user has not ``said``.

    A recipe that the user names, and one that is settled for the data, are taken as they are. Raises UsageError for a
    name, a field or a value that there is not.
    """
    found = find_recipe(recipe or usual_recipe(facts.kind, model))
    if recipe is not None or is_settled(facts.kind) or family(model.family).task not in TASKS:
        return find_recipe(found, **said), ()
    train = max(facts.images("train"), 1)
    asked = find_recipe(found, **said)
    batches = [asked.batch_size] if "batch_size" in said else [min(size, train) for size in BATCHES]
    enough = [size for size in batches if number_of_steps(asked.change(batch_size=size), train) >= UPDATES]
    batch = (enough or batches[-1:])[0]
    chosen: dict[str, tuple[Any, str]] = {"batch_size": (batch, f"there are {train} training images")}
    if isinstance(asked.optimizer, SGD) and batch != found.batch_size:
        # the rate goes with the batch (Goyal et al. 2017, sec. 2.1)
        why = f"{found.lr:g} for batches of {found.batch_size}, and in proportion"
        chosen["lr"] = (found.lr * batch / found.batch_size, why)
    if asked.iterations is None:
        steps_per_epoch = max(train // batch, 1)
        epochs = max(found.epochs, math.ceil(UPDATES / steps_per_epoch))
        chosen["epochs"] = (epochs, f"of {steps_per_epoch} steps; at least {UPDATES} are wanted")
    taken = {name: pair for name, pair in chosen.items() if name not in said}
    reasons = [Reason(name, f"{value:g}", why) for name, (value, why) in taken.items()]
    made = find_recipe(asked, **{name: value for name, (value, _) in taken.items()})
    if (steps := number_of_steps(made, train)) < UPDATES:
        reasons.append(Reason("steps", f"{steps}", f"as asked for, where at least {UPDATES} are wanted"))
    return made, tuple(reasons)


def number_of_steps(recipe: Recipe, train: int) -> int:
    """Steps of a training on so many samples."""
    return recipe.iterations or recipe.epochs * max(train // recipe.batch_size, 1)

"""The recipe for data that nobody has written one for: enough steps whatever the number of images, and a safe rate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from residua.data.facts import Facts
from residua.registry import family
from residua.spec import ModelSpec, Recipe
from residua.train.defaults import is_settled, usual_recipe
from residua.train.optimizers.sgd import SGD
from residua.train.reasons import Reason
from residua.train.recipes import recipe as find_recipe

UPDATES = 600  # the fewest steps in which a network with batch norm learns from random weights,
TUNING_UPDATES = 300  # and from trained ones
TUNING_BATCHES = (32, 16)
BATCHES = (64, 32, 16, 8)  # images a step: the first with which the recipe's epochs have so many steps
TASKS = ("classification", "regression")  # those whose recipes follow the number of samples
BACKOFF = 0.25
_TELLS = 100  # validation images that tell two epochs apart, to about ten points
_RARE = 5  # images below which a class is too small to be weighed by
_IMBALANCED = 3.0  # the largest class by the smallest one that is not rare


def chosen_recipe(
    facts: Facts, model: ModelSpec, recipe: str | Recipe | None, said: Mapping[str, Any], *, trained: bool
) -> tuple[Recipe, tuple[Reason, ...]]:
    """The recipe for a network on some data, and the reasons for what the user has not ``said``.

    A recipe that the user names, and one that is settled for the data, are taken as they are; a ``trained`` network is
    fine-tuned. Raises UsageError for a name, a field or a value that there is not.
    """
    found = find_recipe(recipe or usual_recipe(facts.kind, model, trained=trained))
    asked = find_recipe(found, **said)
    if recipe is not None or is_settled(facts.kind) or family(model.family).task not in TASKS:
        return asked, ()
    fields, reasons = {}, []
    for name, value, why in _fields(facts, found, asked, said):
        if name not in said:
            fields[name] = value
            reasons.append(Reason(name.rpartition(".")[2], "none" if value is None else f"{value:g}", why))
    made = find_recipe(asked, **fields)
    if (steps := number_of_steps(made, facts.images("train"))) < (wanted := _wanted(found)):
        reasons.append(Reason("steps", f"{steps}", f"as asked for, where at least {wanted} are wanted"))
    return made, tuple(reasons)


def number_of_steps(recipe: Recipe, train: int) -> int:
    """Steps of a training on so many samples."""
    return recipe.iterations or recipe.epochs * max(train // recipe.batch_size, 1)


def _wanted(recipe: Recipe) -> int:
    """The fewest steps."""
    return UPDATES if recipe.finetuning is None else TUNING_UPDATES


def _fields(
    facts: Facts, found: Recipe, asked: Recipe, said: Mapping[str, Any]
) -> Iterator[tuple[str, Any, str]]:
    """Fields of the recipe with their values and reasons; ``asked`` is the one ``found``, with what the user said."""
    wanted = _wanted(found)
    train, val = max(facts.images("train"), 1), facts.images("val")
    sizes = BATCHES if found.finetuning is None else TUNING_BATCHES
    batches = [asked.batch_size] if "batch_size" in said else [min(size, train) for size in sizes]
    enough = [size for size in batches if number_of_steps(asked.change(batch_size=size), train) >= wanted]
    batch = (enough or batches[-1:])[0]
    yield "batch_size", batch, f"there are {train} training images"
    if isinstance(asked.optimizer, SGD) and batch != found.batch_size:
        # the rate goes with the batch (Goyal et al. 2017, sec. 2.1)
        why = f"{found.lr:g} for batches of {found.batch_size}, and in proportion"
        yield "lr", found.lr * batch / found.batch_size, why
    yield "backoff", BACKOFF, "should the loss diverge, the training goes back with a rate times this"
    epochs = asked.epochs
    if asked.iterations is None and "epochs" not in said:
        in_epoch = max(train // batch, 1)
        epochs = max(found.epochs, math.ceil(wanted / in_epoch))
        yield "epochs", epochs, f"of {in_epoch} steps; at least {wanted} are wanted"
    if found.finetuning is not None:
        why = "the head begins alone: that nothing gets better does not tell that nothing will"
        yield "patience", None, why
    elif val >= _TELLS:
        patience = max(10, epochs // 3)
        yield "patience", patience, f"epochs without a better one on {val} validation images end the training"
    else:
        yield "patience", None, f"{val} validation images cannot tell two epochs apart"
    counts = [count for count in facts.counts["train"] if count >= _RARE]
    if len(counts) > 1 and max(counts) >= _IMBALANCED * min(counts):
        why = (
            f"classes have from {min(counts)} to {max(counts)} training images, and weigh as one in the loss"
        )
        yield "task.balance", 1.0, why

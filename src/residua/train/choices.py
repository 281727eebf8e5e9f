"""What is trained where the user does not say: network, image size, recipe, each with its reason.

Data known by name have settled defaults (``residua.train.defaults``). For any other the choice follows from how many
images there are, how large they are, and what a machine of this class does in a time that suits their number. Nothing
is measured: the same facts make the same choice again.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from residua.analysis.cost import totals
from residua.data.facts import Facts
from residua.errors import UsageError
from residua.registry import model_spec
from residua.spec import ModelSpec, Recipe
from residua.train.defaults import LARGE, is_settled, usual_model
from residua.train.lengths import chosen_recipe, number_of_steps
from residua.train.progress import clock
from residua.train.reasons import Reason
from residua.train.speed import seconds_of_steps
from residua.weights.model_files import Weights

SIZES = (224, 160, 128, 96, 64, 48, 32)  # px, one of which images of several sizes are brought to
_SECONDS_AN_IMAGE = 0.2  # of the whole training, for each training image,
_LEAST_SECONDS = 90.0  # and at least this


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is to be trained. What the user said stands in it as said, without a reason."""

    model: ModelSpec
    image_size: int | None  # px; None: the data have a shape of their own
    recipe: Recipe
    steps: int
    seconds: float | None = None  # that a machine of this class trains, roughly; None of settled defaults
    reasons: tuple[Reason, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; of the recipe what is usually asked for."""
        return {
            "model": self.model.name,
            "image_size": self.image_size,
            "recipe": self.recipe.name,
            "epochs": self.recipe.epochs,
            "batch_size": self.recipe.batch_size,
            "lr": self.recipe.lr,
            "steps": self.steps,
            "seconds": None if self.seconds is None else round(self.seconds, 1),
            "reasons": [vars(reason) for reason in self.reasons],
        }


def choose(
    facts: Facts,
    *,
    model: str | ModelSpec | None = None,
    model_changes: Mapping[str, Any] | None = None,
    weights: Weights | None = None,
    image_size: int | None = None,
    recipe: str | Recipe | None = None,
    recipe_changes: Mapping[str, Any] | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> Choice:
    """Choose what is left open: None, or a field of the recipe that is not among the changes.

    Args:
        facts: about the data.
        model: a name or a spec.
        model_changes: changes to its spec.
        weights: what the training starts from; images get the size that these know.
        image_size: pixels of a side.
        recipe: a name or a recipe, which is then taken as it is.
        recipe_changes: changes to the recipe.
        device: ``"cpu"`` or a GPU, which decides what can be trained in the time.
        threads: of the CPU; every core by default.

    Raises:
        UsageError: for a name or a value that there is not.

    """
    fields = {
        "num_classes": len(facts.counts["train"]),
        "in_channels": facts.channels,
        **(model_changes or {}),
    }
    # the task's own options say nothing of what is chosen here, and belong to a task that is not known yet
    said = {k: v for k, v in (recipe_changes or {}).items() if not Recipe.placed(k)[0].startswith("task")}

    if is_settled(facts.kind) and facts.shape is not None:
        spec = model_spec(model or usual_model(facts.kind, facts.shape), **fields)
        how, _ = chosen_recipe(facts, spec, recipe, said, trained=weights is not None)
        return Choice(
            model=spec, image_size=None, recipe=how, steps=number_of_steps(how, facts.images("train"))
        )

    def made(side: int, said: Mapping[str, Any]) -> tuple[Choice, float]:
        shape = facts.shape or (facts.channels, side, side)
        spec = model_spec(model or usual_model(facts.kind, shape), **fields)
        how, reasons = chosen_recipe(facts, spec, recipe, dict(said), trained=weights is not None)
        steps = number_of_steps(how, facts.images("train"))
        forward = how.batch_size * _multiply_adds(spec, spec.input_shape(shape))
        seconds = seconds_of_steps(steps, forward, device=device, threads=threads)
        size = None if facts.shape else side
        found = Choice(model=spec, image_size=size, recipe=how, steps=steps, seconds=seconds, reasons=reasons)
        return found, seconds

    if facts.shape is not None:
        sides, why = [facts.shape[-1]], ""
    elif image_size is not None:
        sides, why = [image_size], ""
    else:
        sides, why = _sides(facts, weights)
        if model is not None:  # who names a network has time for it
            spec = model_spec(model, **fields)
            sides = [side for side in sides if _takes(spec, side)][:1] or [spec.usual_input[-1]]
    allowed = max(_LEAST_SECONDS, _SECONDS_AN_IMAGE * facts.images("train"))
    # a length of one's own, for a first look say, is no reason for another network
    freely = {key: value for key, value in said.items() if key not in ("epochs", "iterations", "batch_size")}
    beyond = ""
    while sides[1:] and (seconds := made(sides[0], freely)[1]) > allowed:
        beyond = f"; at {sides[0]} px a training would take about {clock(seconds)}"
        sides = sides[1:]
    choice, _ = made(sides[0], said)
    reasons = [] if model is not None or not why else [_network(choice)]
    reasons += [Reason("image_size", f"{choice.image_size} px", why + beyond)] if why else []
    return replace(choice, reasons=(*reasons, *choice.reasons))


def _sides(facts: Facts, weights: Weights | None) -> tuple[list[int], str]:
    """The sizes in px that suit the images, the largest first, and why."""
    known = (weights.data if weights else {}).get("shape")
    if isinstance(known, list | tuple) and len(known) == 3 and type(known[-1]) is int:
        return [known[-1]], "what the weights were trained on"
    if facts.side is not None and facts.side < LARGE:
        return [facts.side], "every image has it"
    half = int(statistics.median_low(facts.sides))
    fitting = [side for side in SIZES if side <= half]
    return fitting or [SIZES[-1]], f"half of the images have at most {half} px on their shorter side"


@cache
def _multiply_adds(spec: ModelSpec, shape: tuple[int, ...]) -> int:
    return totals(spec, shape)[1]


def _takes(spec: ModelSpec, side: int) -> bool:
    try:
        _multiply_adds(spec, (spec.in_channels, side, side))
    except UsageError:
        return False
    return True


def _network(choice: Choice) -> Reason:
    large = choice.image_size is not None and choice.image_size >= LARGE
    return Reason("network", choice.model.name, f"made for images {'from' if large else 'below'} {LARGE} px")

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
from typing import Any, Literal

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
from residua.weights.bundled import FILE, NAME, bundled_file
from residua.weights.model_files import Weights, read_weights

SIZES = (224, 160, 128, 96, 64, 48, 32)  # px, one of which images of several sizes are brought to
FEW = 5_000  # training images, up to which trained weights are the better start
_SECONDS_AN_IMAGE = 0.2  # of the whole training, for each training image,
_LEAST_SECONDS = 90.0  # and at least this


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is to be trained. What the user said stands in it as said, without a reason."""

    model: ModelSpec
    image_size: int | None  # px; None: the data have a shape of their own
    shape: tuple[int, ...]  # of a sample, without the batch
    recipe: Recipe
    steps: int
    weights: str | None = None  # by name; None: those that the user has named, or random ones
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
            "weights": self.weights,
            "seconds": None if self.seconds is None else round(self.seconds, 1),
            "reasons": [vars(reason) for reason in self.reasons],
        }


def choose(
    facts: Facts,
    *,
    model: str | ModelSpec | None = None,
    model_changes: Mapping[str, Any] | None = None,
    weights: Weights | Literal["random"] | None = None,
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
        weights: what the training starts from; images get the size that these know. ``"random"`` is no choice left.
        image_size: pixels of a side.
        recipe: a name or a recipe, which is then taken as it is.
        recipe_changes: changes to the recipe.
        device: ``"cpu"`` or a GPU, which decides what can be trained in the time.
        threads: of the CPU; every core by default.

    Raises:
        UsageError: for a name or a value that there is not.

    """
    choosing = _Choosing(
        facts=facts,
        model=model,
        model_changes=dict(model_changes or {}),
        weights=None if weights == "random" else weights,
        image_size=image_size,
        recipe=recipe,
        # the task's own options say nothing of what is chosen here, and belong to a task that is not known yet
        said={k: v for k, v in (recipe_changes or {}).items() if not Recipe.placed(k)[0].startswith("task")},
        device=device,
        threads=threads,
    )
    if weights is None and model is None and recipe is None and _suits_bundled(facts, image_size):
        return choosing.from_bundled()
    return choosing.made()


@dataclass(frozen=True, kw_only=True)
class _Choosing:
    """One call of ``choose``."""

    facts: Facts
    model: str | ModelSpec | None
    model_changes: dict[str, Any]
    weights: Weights | None
    image_size: int | None
    recipe: str | Recipe | None
    said: dict[str, Any]
    device: str
    threads: int | None

    def from_bundled(self) -> Choice:
        """Fine-tuning of the network that comes with the package."""
        weights = read_weights(bundled_file())
        choice = replace(self, weights=weights, model=weights.spec).made()
        why = f"{self.facts.images('train')} images are few to learn from random weights"
        return replace(choice, weights=NAME, reasons=(Reason("weights", NAME, why), *choice.reasons))

    def made(self) -> Choice:
        """The choice, of the largest images that can be trained on in a time that suits their number."""
        facts = self.facts
        if is_settled(facts.kind) and facts.shape is not None:
            return self._with(facts.shape[-1])
        sides, why = self._sides()
        allowed = max(_LEAST_SECONDS, _SECONDS_AN_IMAGE * facts.images("train"))
        # a length of one's own, for a first look say, is no reason for another network
        lengths = ("epochs", "iterations", "batch_size")
        freely = replace(self, said={name: value for name, value in self.said.items() if name not in lengths})
        beyond = ""
        while sides[1:] and (seconds := freely._with(sides[0]).seconds or 0.0) > allowed:
            beyond = f"; at {sides[0]} px a training would take about {clock(seconds)}"
            sides = sides[1:]
        choice = self._with(sides[0])
        if not why:
            return choice
        reasons = [] if self.model is not None else [_network(choice)]
        reasons.append(Reason("image_size", f"{choice.image_size} px", why + beyond))
        return replace(choice, reasons=(*reasons, *choice.reasons))

    def _with(self, side: int) -> Choice:
        """The choice for images of this many pixels a side."""
        facts = self.facts
        shape = facts.shape or (facts.channels, side, side)
        spec = self._network(shape)
        how, reasons = chosen_recipe(facts, spec, self.recipe, self.said, trained=self.weights is not None)
        steps = number_of_steps(how, facts.images("train"))
        if is_settled(facts.kind):
            return Choice(model=spec, image_size=None, shape=shape, recipe=how, steps=steps)
        return Choice(
            model=spec,
            image_size=None if facts.shape else side,
            shape=shape,
            recipe=how,
            steps=steps,
            seconds=expected_seconds(spec, how, steps, shape, device=self.device, threads=self.threads),
            reasons=reasons,
        )

    def _network(self, shape: tuple[int, ...]) -> ModelSpec:
        fields = {"num_classes": len(self.facts.counts["train"]), "in_channels": self.facts.channels}
        name = self.model or usual_model(self.facts.kind, shape)
        return model_spec(name, **{**fields, **self.model_changes})

    def _sides(self) -> tuple[list[int], str]:
        """The sizes in px that suit the images, the largest first, and why; without a reason if they are given."""
        facts, known = self.facts, (self.weights.data if self.weights else {}).get("shape")
        given = facts.shape[-1] if facts.shape is not None else self.image_size
        if given is not None:
            return [given], ""
        if isinstance(known, list | tuple) and len(known) == 3 and type(known[-1]) is int:
            return [known[-1]], "what the weights were trained on"
        if facts.side is not None and facts.side < LARGE:
            return [facts.side], "every image has it"
        half = int(statistics.median_low(facts.sides))
        why = f"half of the images have at most {half} px on their shorter side"
        sides = [side for side in SIZES if side <= half] or [SIZES[-1]]
        if self.model is None:
            return sides, why
        spec = self._network((facts.channels, half, half))  # who names a network has time for it
        return [side for side in sides if _takes(spec, side)][:1] or [spec.usual_input[-1]], why


def _suits_bundled(facts: Facts, image_size: int | None) -> bool:
    """Whether the bundled network knows such images: some colour photos of several classes, of any size."""
    classes, photos = len(facts.counts["train"]), facts.channels == 3 and facts.shape is None
    few = facts.images("train") <= FEW
    return photos and classes > 1 and few and image_size is None and FILE.is_file()


def expected_seconds(
    model: ModelSpec,
    recipe: Recipe,
    steps: int,
    sample: tuple[int, ...],
    *,
    device: str,
    threads: int | None,
) -> float:
    """Seconds that a training on samples of a shape should take, roughly."""
    forward = recipe.batch_size * _multiply_adds(model, model.input_shape(sample))
    return seconds_of_steps(steps, forward, device=device, threads=threads)


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

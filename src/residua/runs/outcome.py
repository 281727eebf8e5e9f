"""What became of a training, as ``inspection.json`` holds it, and in words (``outcome.toml``). Imports no torch."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from residua.errors import UsageError, nearest
from residua.names import command
from residua.spec.check import Count, Measured, Share

NAMED = 5  # small classes in a sentence
_ONCE = ("--run-dir", "--lr")  # flags with a value that a training anew does not repeat

Status = Literal["learned", "not learned", "collapsed", "diverged", "too few images"]
Fit = Literal["overfitted", "underfitted", "by heart"]
Advice = Literal["use it", "train longer", "augment", "look at the data", "learn slower"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A judgement (``residua.evaluation.outcome``) with what it rests on; intervals are of 95 %."""

    status: Status
    fit: Fit | None = None  # how it does on training images, where that says more
    advice: Advice
    sentence: str  # in English; ``told`` tells it in other languages
    right: Count  # of the
    n: Count  # test images
    interval: tuple[Share, Share]  # of the accuracy (Wilson)
    majority: str  # the most frequent class of the test images, and the accuracy of
    majority_share: Share  # always answering it
    balanced: Share  # mean recall of the classes that have test images
    balanced_interval: tuple[Share, Share]
    tested: Count  # classes that have test images
    answered: Count  # classes that make up nearly all the answers
    top_answer: str  # the most frequent one, and how frequent it is
    top_share: Share
    training_right: Count | None  # of the training images that were shown again, unaugmented
    training_n: Count | None
    loss: Measured | None  # final training loss, nats
    classes: Count
    few: dict[str, Count]  # classes with few training images, the smallest first
    epochs: Count  # that the training had had
    lr: Measured  # of its recipe

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        values = dataclasses.asdict(self)
        return {key: [*value] if isinstance(value, tuple) else value for key, value in values.items()}


@cache
def _texts(lang: str) -> dict[str, Any]:
    texts = tomllib.loads(files("residua.runs").joinpath("outcome.toml").read_text(encoding="utf-8"))
    if lang not in texts:
        raise UsageError(f"an outcome is not told in {lang!r}{nearest(lang, texts)}")
    return texts[lang]


def told(outcome: Outcome, lang: str = "en") -> str:
    """What became of the training, and why that is said. Raises UsageError for an unknown language."""
    return f"{word(outcome.status, lang)}{_texts(lang)['colon']}{reasons(outcome, lang)}"


def word(status: Status, lang: str = "en") -> str:
    """The name of a status. Raises UsageError for an unknown language."""
    return _texts(lang)["words"][status]


def reasons(outcome: Outcome, lang: str = "en") -> str:
    """The figures that an outcome rests on, in a sentence or a few. Raises UsageError for an unknown language."""
    t, out = _texts(lang), outcome
    said = {
        "right": f"{out.right:,}",
        "n": f"{out.n:,}",
        "accuracy": _percent(out.right / out.n),
        "low": _percent(out.interval[0]),
        "high": _percent(out.interval[1]),
        "majority": out.majority,
        "share": _percent(out.majority_share),
        "balanced": _percent(out.balanced),
        "balanced_low": _percent(out.balanced_interval[0]),
        "balanced_high": _percent(out.balanced_interval[1]),
        "chance": _percent(1 / out.tested),
        "answered": out.answered,
        "classes": out.classes,
        "top": out.top_answer,
        "top_share": _percent(out.top_share),
        "loss": "?" if out.loss is None else f"{out.loss:.3g}",
        "guess": f"{math.log(out.classes):.3g}",
        "training": _percent((out.training_right or 0) / (out.training_n or 1)),
        "few": t["comma"].join(f"{name} ({count})" for name, count in [*out.few.items()][:NAMED]),
        "more": t["more"].format(n=len(out.few) - NAMED) if len(out.few) > NAMED else "",
    }
    keys = [_opening(out), out.fit, "few" if out.few else None]
    return t["space"].join(t[key].format(**said) for key in keys if key)


def _opening(outcome: Outcome) -> str:
    """The key of the sentence that says the status."""
    if outcome.status == "learned" and outcome.interval[0] <= outcome.majority_share:
        return "learned, balanced"
    return "collapsed to one" if outcome.status == "collapsed" and outcome.answered == 1 else outcome.status


def _percent(share: float) -> str:
    return f"{share:.1%}"


def advised(outcome: Outcome, lang: str = "en") -> str:
    """What to do now, in words that ``next_step`` may follow. Raises UsageError for an unknown language."""
    return _texts(lang)[outcome.advice]


def next_step(outcome: Outcome, run: str, *, model: str, data: str, begun: Sequence[str] = ()) -> str:
    """The command that does what the outcome advises, as a shell takes it.

    ``run`` is the folder, ``model`` the network's name, ``data`` the source that it was trained on, and ``begun`` the
    command that began it, which a training anew repeats but for what is advised.
    """
    again = _again(begun) or ["train", data, "--model", model]
    steps: Mapping[Advice, Sequence[str]] = {
        "use it": ["predict", run, "IMAGE"],
        "train longer": ["train", "--resume", run, "--epochs", str(2 * outcome.epochs)],
        "augment": [*again, "--set", 'recipe.augmentation=["crop_flip", "mixup"]'],
        "look at the data": ["data", "look", data],
        "learn slower": [*again, "--lr", f"{outcome.lr / 10:g}"],
    }
    return command("residua", *steps[outcome.advice])


def _again(begun: Sequence[str]) -> list[str]:
    """The words of a ``residua train`` without those that only that one training takes; none of another command."""
    words = [*begun[1:]]
    if words[:1] != ["train"] or any(word.startswith("--resume") for word in words):
        return []
    kept: list[str] = []
    left = iter(words)
    for word in left:
        if word in _ONCE:
            next(left, None)
        elif word not in ("--overwrite", "--json") and word.split("=")[0] not in _ONCE:
            kept.append(word)
    return kept

"""What is to be said of a set of images, each by the key of a sentence (messages/) and what it is filled with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from residua.report.numbers import count, duration
from residua.report.translation import Translate
from residua.survey import Survey

FEW_TESTED = 10  # images below which a class's accuracy is hardly known
UNEVEN = 10  # times as many images as the smallest class has
SHOWN = 5  # names in a sentence


@dataclass(frozen=True)
class Remark:
    """A sentence by its key; ``wrong`` says that something should be mended before a training."""

    key: str
    wrong: bool
    fields: dict[str, Any] = field(default_factory=dict)


def remarks(survey: Survey) -> Iterator[Remark]:
    """Everything that is to be said, the worst first."""
    found = [*_classes(survey), *_groups(survey), *_files(survey), *_images(survey)]
    return iter(sorted(found, key=lambda remark: not remark.wrong))


def chosen(survey: Survey, t: Translate) -> list[str]:
    """What training would choose, in sentences; nothing where it would refuse."""
    choice = survey.choice
    if choice is None:
        return []
    said = [
        (
            "look_chosen",
            {"model": choice.model.name, "recipe": choice.recipe.name, "steps": count(choice.steps)},
        ),
        ("look_weights", {"weights": choice.weights}),
        ("look_at_size", {"side": choice.image_size}),
        ("look_epochs", {"epochs": choice.recipe.epochs}),
        ("look_takes", {"seconds": None if choice.seconds is None else duration(choice.seconds)}),
    ]
    return [t(key, **fields) for key, fields in said if None not in fields.values()]


def _files(survey: Survey) -> Iterator[Remark]:
    reasons = survey.contents.left_out
    heic = [path for path, why in reasons.items() if "residua[heic]" in why]
    if heic:
        yield Remark("look_heic", True, {"n": len(heic)})
    empty = [path for path, why in reasons.items() if path.endswith("/") and "without any" in why]
    if empty:
        yield Remark("look_empty_classes", True, {"names": _few(empty), "n": len(empty)})
    others = len(reasons) - len(heic) - len(empty)
    if others:
        yield Remark("look_left_out", False, {"n": others})


def _classes(survey: Survey) -> Iterator[Remark]:
    if survey.contents.refusal:
        yield Remark("look_refused", True, {"why": survey.contents.refusal})
    if len(survey.classes) < 2:
        return
    counts = survey.counts()
    untested = [row["name"] for row in counts if not row["test"]]
    if untested:
        yield Remark("look_untested", True, {"names": _few(untested), "n": len(untested)})
    few = [row["name"] for row in counts if 0 < row["test"] < FEW_TESTED]
    if few:
        yield Remark("look_few_tested", False, {"names": _few(few), "n": len(few), "least": FEW_TESTED})
    smallest, largest = (pick(counts, key=lambda row: row["images"]) for pick in (min, max))
    if largest["images"] >= UNEVEN * max(smallest["images"], 1):
        yield Remark(
            "look_uneven",
            False,
            {
                "largest": largest["name"],
                "most": largest["images"],
                "smallest": smallest["name"],
                "least": smallest["images"],
            },
        )


def _groups(survey: Survey) -> Iterator[Remark]:
    contradicted = [group for group in survey.groups if survey.contradicts(group)]
    across = [group for group in survey.groups if survey.across(group)]
    for key, chosen in (
        ("look_contradicted", contradicted),
        ("look_across", [group for group in across if group not in contradicted]),
    ):
        if chosen:
            names = [survey.contents.names[place] for place in chosen[0].places[:2]]
            yield Remark(key, True, {"n": len(chosen), "names": _few(names)})
    rest = len([group for group in survey.groups if group not in contradicted and group not in across])
    if rest:
        yield Remark("look_twice", False, {"n": rest})


def _images(survey: Survey) -> Iterator[Remark]:
    photos = survey.contents.photos
    turned, grey = sum(photo.turned for photo in photos), sum(photo.grey for photo in photos)
    if turned:
        yield Remark("look_turned", False, {"n": turned})
    if 0 < grey < len(photos):
        yield Remark("look_some_grey", False, {"n": grey})
    elif grey:
        yield Remark("look_all_grey", False)


def _few(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")

"""``residua describe``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from residua.cli.say import say, say_json
from residua.cli.settings import parse_assignment
from residua.description.columns import columns
from residua.errors import UsageError

if TYPE_CHECKING:
    from residua.deploy.artifact import Artifact
    from residua.evaluation.source import Trained
    from residua.spec import ModelSpec

_MANY = 20  # names or numbers that are written in a row


def describe(
    model: str,
    *,
    input: str | None = None,
    set: Annotated[list[str] | None, Parameter(negative="", consume_multiple=False)] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Show a network stage by stage: shapes, exact counts, shortcuts, and the published figures beside it.

    Args:
        model: a name of `residua models`, or any cifar_resnetN; or what is trained: a run, latest, a weight file, a
            peer's checkpoint or an artifact (of a run that is called like a network: runs/NAME).
        input: channels, height and width of an image, such as 3,224,224; by default what it was trained on, or what the
            papers feed it.
        set: one key=value of the spec of a network by name, such as shortcut=C or num_classes=10; may be repeated.
        json: print one JSON object.

    """
    from residua.description import describe as describe_model
    from residua.description.sections import Section, render

    spec, shape, trained = _asked(model, set or [])
    described = describe_model(spec, shape if input is None else _shape(input))
    sections = described.sections()
    if trained:
        lines = columns(
            [(name.replace("_", " "), _text(value)) for name, value in trained.items()], flexible=1
        )
        sections = [sections[0], Section("As it was trained", tuple(lines)), *sections[1:]]
    if json:
        say_json(described.to_dict() | ({"trained": trained} if trained else {}))
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        for section in sections:
            Console(highlight=False).print(
                Text(section.heading, style="bold"),
                *section.lines,
                "",
                sep="\n",
                markup=False,
                soft_wrap=True,
            )
    else:
        say(*render(sections).split("\n"))


def _asked(name: str, assignments: list[str]) -> tuple[ModelSpec, tuple[int, ...] | None, dict[str, Any]]:
    """The spec of a network, and of a trained one the shape of its images and what is known of its training."""
    from residua.registry import model_spec, spec_from_dict

    changes = _changes(assignments)
    try:
        return model_spec(name, **changes), None, {}
    except UsageError as error:
        unknown = error
    from residua.deploy.artifact import is_artifact, read_artifact

    if is_artifact(name):
        artifact = read_artifact(name)
        found = spec_from_dict(artifact.network), artifact.shape, _facts_of(artifact)
    else:
        trained = _open(name, unknown)
        found = trained.spec, trained.images.shape, _facts(trained)
    if changes:
        raise UsageError(f"{name} is trained: --set {assignments[0]} is for networks by name")
    return found


def _open(name: str, unknown: UsageError) -> Trained:
    """A trained network. Raises ``unknown`` for what is neither a network by name nor looks like a run or a file."""
    from residua.evaluation.source import open_source
    from residua.loading import locate

    try:
        locate(name)
    except UsageError as error:
        raise (error if Path(name).suffix or "/" in name or name == "latest" else unknown) from None
    return open_source(name)


def _facts(trained: Trained) -> dict[str, Any]:
    run, images = trained.run, trained.images.to_dict()
    facts: dict[str, Any] = {"source": trained.name, "task": trained.task.kind}
    if run is not None:
        facts |= {"data": run.data["kind"], "recipe": run.recipe.name, "seed": run.seed}
    facts |= {key: images[key] for key in ("classes", "targets", "mean", "std")}
    if run is not None and run.result is not None:
        facts |= {key: run.result.get(key) for key in ("epochs", "seconds")}
        facts |= {key: value for key, value in run.result.items() if key.startswith(("val_", "test_"))}
    facts["notes"] = list(trained.notes)
    return {key: value for key, value in facts.items() if value not in (None, [])}


def _facts_of(artifact: Artifact) -> dict[str, Any]:
    values = artifact.to_dict()
    facts = {
        "source": artifact.name,
        **{key: values[key] for key in ("task", "format", "precision", "computes")},
    }
    facts |= {"classes" if artifact.answers == "classes" else "targets": artifact.labels}
    facts |= {key: values["preprocessing"][key] for key in ("mean", "std", "resize")}
    facts["largest_difference"] = artifact.parity.max_error
    if artifact.accuracy is not None:
        facts |= {"accuracy_before": artifact.accuracy.before, "accuracy_after": artifact.accuracy.after}
    return facts | {"weights": artifact.provenance.get("weights"), "notes": list(artifact.notes)}


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        shown = ", ".join(map(_text, value[:_MANY]))
        return f"{shown}, ... ({len(value)} in all)" if len(value) > _MANY else shown
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _changes(assignments: list[str]) -> dict[str, Any]:
    changes = {}
    for assignment in assignments:
        table, key, value = parse_assignment(assignment, default_table="model")
        if table != "model":
            raise UsageError(f"describe knows the model only; --set {assignment!r} is of {table!r}")
        changes[key] = value
    return changes


def _shape(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\s*\d{1,6}\s*(,\s*\d{1,6}\s*){0,4}", text, re.ASCII):
        raise UsageError(f"--input takes the shape of one sample, such as 3,224,224, not {text!r}")
    return tuple(int(size) for size in text.split(","))

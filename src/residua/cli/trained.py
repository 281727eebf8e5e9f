"""What is said of a training that is done: its report, what became of it, its figures and what to do next."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from residua.cli.bar import progress_bar
from residua.cli.say import complain, note, reason, say_in
from residua.errors import ResiduaError
from residua.names import command

_COLOURS = {"learned": "green", "diverged": "red"}  # others are yellow


def reported(folder: Any, data: str | None) -> Path | None:
    """Look inside the finished run, if that is still to be done, and render its report.

    A failure there does not fail the training.
    """
    from residua.evaluation import inspect_again
    from residua.report import render_report
    from residua.train import Interrupted

    again = command("residua", "report", folder.path)
    try:
        with progress_bar("looking inside") as progress:
            for said in inspect_again(folder.path, data, progress=progress):
                note(said)
        return render_report([folder.path])
    except KeyboardInterrupt:
        raise Interrupted(signal.SIGINT, f"the training is complete, {again} makes its report") from None
    except Exception as error:  # whatever it is: the training is complete all the same
        complain(f"the training is complete, but there is no report: {reason(error)}; {again} tries again")
        return None


def judged(folder: Any) -> dict[str, Any] | None:
    """What became of the training, and what to do now; None where nobody could look."""
    from residua.runs.outcome import advised, next_step

    try:
        outcome = folder.outcome
    except ResiduaError:  # a damaged inspection: the report has said so
        return None
    if outcome is None:
        return None
    step = next_step(
        outcome,
        str(folder.path),
        model=folder.spec.name,
        data=str(folder.data["source"]),
        begun=folder.env.get("command") or (),
    )
    return {**outcome.to_dict(), "advice": advised(outcome), "next": step}


def say_judged(outcome: dict[str, Any] | None, folder: Any) -> None:
    """The honest sentence, before every figure."""
    from residua.train.task import run_task

    if outcome is not None:
        colour = _COLOURS.get(outcome["status"], "yellow")
        say_in(colour, outcome["sentence"], f"{outcome['advice']} {outcome['next']}")
    elif run_task(folder).answers == "classes":
        say_in("yellow", "Not judged: what it learned could not be looked at (see above).")


def summary(result: dict[str, Any], folder: Any) -> list[str]:
    """Lines of figures, places and next commands."""
    from residua.train.task import run_task

    path, task = folder.path, run_task(folder)
    name = task.primary.name
    tested = task.primary.shown(result[f"test_{name}"])
    balanced = result.get("test_balanced_accuracy")
    if balanced is not None and abs(balanced - result["test_accuracy"]) >= 0.005:  # classes of unlike numbers
        tested += f" (balanced {balanced:.2%})"
    longer = 2 * max(result["epochs"], folder.recipe.epochs if folder.recipe.iterations is None else 0)
    next_steps = [("evaluate", path), ("train", "--resume", path, "--epochs", str(longer))]
    if task.answers != "nothing":
        shown = "VOLUME.npy" if len(folder.data["shape"]) == 4 else "IMAGE"
        next_steps.insert(1, ("predict", path, shown))
    return [
        "",
        f"test {name.replace('_', ' ')}  {tested} on {result['test_images']} samples",
        f"training       {result['seconds']:.1f} s, {result['epochs']} epochs, {result['model']} "
        f"({result['parameters']:,} parameters)",
        f"run folder     {path}",
        f"report         {result['report'] or 'none'}",
        "",
        "next:",
        *(f"  {command('residua', *step)}" for step in next_steps),
    ]

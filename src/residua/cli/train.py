"""``residua train``."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from residua.cli.say import say, say_json
from residua.cli.settings import read_settings
from residua.cli.trained import judged, reported, say_judged, summary
from residua.errors import ResiduaError, UsageError
from residua.train.launch import GO_ON, LOST, Launch, asked_for, end_with_launch, launched

if TYPE_CHECKING:
    from collections.abc import Iterator


def train(
    data: str | None = None,
    /,
    *,
    model: Annotated[str | None, Parameter(name=["--model", "-m"])] = None,
    weights: Annotated[str | None, Parameter(name=["--weights", "--pretrained"])] = None,
    recipe: str | None = None,
    epochs: int | None = None,
    batch_size: Annotated[int | Literal["auto"] | None, Parameter(name=["--batch-size", "-b"])] = None,
    lr: float | None = None,
    seed: int | None = None,
    device: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    workers: Annotated[int | None, Parameter(name=["--workers", "-j"])] = None,
    compile: str | None = None,
    processes: int | None = None,
    memory: str | None = None,
    tune: Annotated[bool, Parameter(negative="")] = False,
    val_fraction: float | None = None,
    limit_batches: int | None = None,
    run_dir: Path | None = None,
    track: str | None = None,
    resume: str | None = None,
    resume_if_exists: Annotated[bool, Parameter(negative="")] = False,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    strict: Annotated[bool, Parameter(negative="")] = False,
    allow_inexact: Annotated[bool, Parameter(negative="")] = False,
    retune: Annotated[bool, Parameter(negative="")] = False,
    budget: str | None = None,
    target: str | None = None,
    config: Path | None = None,
    set: Annotated[list[str] | None, Parameter(negative="", consume_multiple=False)] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int | None:
    """Train a network on images, and leave a run folder with the weights, every figure and a report.

    Args:
        data: digits (the default of image models), text (of language models), a folder of images, CIFAR-10 or CIFAR-100
            (folder or archive), or kind:path, such as text:FOLDER.
        model: a name of `residua models`; by default one that suits the images.
        weights: start from a run, a weight file, a peer's checkpoint, published weights (torchvision:resnet50; residua
            models --weights lists them) or bundled, the network that comes with the package: the default for up to
            5,000 colour photos; or random.
        recipe: quick, digits, finetune, vit, language, he2015-cifar, he2015-cifar-110, he2015-imagenet or another of
            residua.train.recipes; by default one that suits the model and the data.
        epochs: passes over the training images.
        batch_size: images a step; auto: as many as fit into memory, which is measured first.
        lr: peak learning rate.
        seed: everything random follows from it; 0 by default.
        device: auto, cpu, cuda or cuda:N.
        precision: auto, float32 or bfloat16.
        threads: of computation; by default every core.
        workers: threads that decode images of sets which do not fit in memory.
        compile: auto, on or off.
        processes: of this machine, that share every batch; torchrun -m residua train is for several machines.
        memory: low keeps few activations and computes the others again in the backward pass, to the same result in
            about four thirds of the time; full by default.
        tune: time precision, layout, threads and compilation for this machine, network and batch, and remember what is
            quickest; what is named (--threads 2, --set run.channels_last=false) stays.
        val_fraction: of the training images, held out for validation.
        limit_batches: at most so many batches an epoch and an evaluation, for a quick look.
        run_dir: the run folder to make; by default a new one under runs/.
        track: where figures go beside the run folder: tensorboard (the default, if it is installed), mlflow, wandb,
            trackio, several with commas, or none.
        resume: go on with a run: a folder, a name under runs/, or latest. Only --epochs may change it. A complete run
            gets what it lacks, such as its report.
        resume_if_exists: go on with the run at --run-dir, if it is this very one; start it if there is none.
        overwrite: replace a run that stands at --run-dir.
        strict: stop at the first bad file instead of leaving it out.
        allow_inexact: resume on another machine or version, where the result is not bit for bit the same.
        retune: resume and make every automatic choice anew.
        budget: try several networks and image sizes within this time (10m, 90s), and keep the best; the same command
            goes on where it stopped.
        target: of these, only networks that take an image in so much time: cpu:5ms or gpu:1ms.
        config: a TOML file with the tables [model], [data], [recipe] and [run].
        set: one key=value such as model.shortcut=C or data.image_size=64; may be repeated.
        json: print the result as one JSON object on stdout.

    """
    flags: dict[str, dict[str, Any]] = {
        "model": {"name": model},
        "data": {"source": data, "val_fraction": val_fraction, "strict": strict or None},
        "recipe": {"name": recipe, "epochs": epochs, "batch_size": batch_size, "lr": lr},
        "run": {
            "seed": seed,
            "weights": weights,
            "device": device,
            "precision": precision,
            "threads": threads,
            "workers": workers,
            "compile": compile,
            "memory": memory,
            "tune": tune or None,
            "limit_batches": limit_batches,
            "run_dir": str(run_dir) if run_dir is not None else None,
            "track": track,
        },
    }
    settings = read_settings(config, flags, set or [])
    if budget is not None or target is not None:
        if budget is None or resume is not None or overwrite or resume_if_exists or processes is not None:
            raise UsageError(
                "--budget (and --target with it) goes on by itself with the search at --run-dir: --resume, "
                "--resume-if-exists, --overwrite and --processes do not go with it"
            )
        from residua.cli.search import search

        search(settings, budget, target, json=json)
        return None
    if resume is None and (allow_inexact or retune):
        raise UsageError("--allow-inexact and --retune go with --resume RUN")
    if resume is not None and (overwrite or run_dir is not None or resume_if_exists):
        raise UsageError(
            "--resume goes on in the run's own folder: --run-dir, --resume-if-exists and --overwrite do not go "
            "with it"
        )
    if tune and (resume is not None or processes is not None):
        raise UsageError(
            "--tune is for a new run, of one process; --retune makes the choices of one that goes on anew"
        )
    if asked_for() is None and (count := _processes(processes, resume)) != 1:
        return Launch([sys.executable, "-m", "residua", *sys.argv[1:]], count).run()
    moved = None
    with _one_of_several():
        if (begun := os.environ.get(GO_ON)) is not None:
            folder = _resume(begun, read_settings(None, {}, []), allow_inexact=allow_inexact)
        elif resume is not None:
            moved = settings["data"].pop("source", None)
            folder = _resume(resume, settings, data=moved, allow_inexact=allow_inexact, retune=retune)
        else:
            folder = _fit(settings, overwrite=overwrite, resume_if_exists=resume_if_exists)
    if (asked_for() or (0, 1))[0]:
        return None  # the first process says and shows it all
    written = reported(folder, moved)
    outcome = judged(folder)
    result = {**folder.result, "report": str(written) if written else None, "outcome": outcome}
    if json:
        say_json(result)
        return None
    say_judged(outcome, folder)
    say(*summary(result, folder))
    return None


def _processes(asked: int | None, resume: str | None) -> int:
    """How many processes are to be started: as many as asked, else as the run that is resumed was begun with."""
    if asked is not None or resume is None:
        return 1 if asked is None else asked
    from residua.train import RunFolder, resolve_run

    return RunFolder(resolve_run(resume)).plan.processes


@contextmanager
def _one_of_several() -> Iterator[None]:
    """As a process of a launch: end with it, and leave it to say so when another process has ended."""
    end_with_launch()
    if (asked_for() or (0, 1))[0]:
        logging.getLogger("residua").setLevel(logging.ERROR)  # the first process says it
    try:
        yield
    except ResiduaError as error:
        if launched() and error.exit_code == LOST:
            raise SystemExit(LOST) from error
        raise


def _fit(settings: dict[str, dict[str, Any]], **existing: bool) -> Any:
    from residua.loading import load_weights
    from residua.registry import model_spec
    from residua.spec import DataSpec, Recipe
    from residua.train import fit, recipe
    from residua.train.batch_size import LARGEST
    from residua.train.defaults import default_source
    from residua.weights.model_files import Weights

    run, model, recipe_table = dict(settings["run"]), dict(settings["model"]), dict(settings["recipe"])
    name, recipe_name = model.pop("name", None), recipe_table.pop("name", None)
    if recipe_name is not None:
        # a wrong name or value is said before any data is read; only with them the task is known
        told = {k: v for k, v in recipe_table.items() if (k, v) != LARGEST}
        shared = {k: v for k, v in told.items() if not Recipe.placed(k)[0].startswith("task")}
        recipe(recipe_name, **shared)
    if "family" in model:  # a network of one's own, described in full
        name, model = model_spec({**model, "name": name or "custom"}), {}
    weights = None
    if (source := run.pop("weights", None)) is not None:
        known = None if name is None else model_spec(name, **model)
        weights = "random" if source == "random" else load_weights(source, known)
    if name is None and isinstance(weights, Weights):
        name = weights.spec.change(**model) if model else weights.spec
        model = {}
    return fit(
        name,
        DataSpec.of(default_source(name)).change(**settings["data"]),
        recipe_name,
        weights=weights,
        **existing,
        model_changes=model,
        recipe_changes=recipe_table,
        **run,
    )


def _resume(text: str, settings: dict[str, dict[str, Any]], **options: Any) -> Any:
    from residua.train import RunFolder, resolve_run, resume
    from residua.train.batch_size import LARGEST

    folder = RunFolder(resolve_run(text))
    epochs, track = settings["recipe"].pop("epochs", None), settings["run"].pop("track", None)
    run = {**folder.plan.to_dict(), "seed": folder.seed, "limit_batches": folder.env["limit_batches"]}
    stored: dict[str, Any] = {"model": folder.spec, "data": folder.data_spec, "recipe": folder.recipe}
    for table, values in settings.items():
        spec = stored.get(table)
        for key, value in values.items():
            if value == "auto" and (spec is None or (key, value) == LARGEST):  # as the run has it
                continue
            same = run.get(key) == value if spec is None else spec.change(**{key: value}) == spec
            if not same:
                has = run if spec is None else spec.flat()
                field = key if spec is None else spec.placed(key)[0]
                raise UsageError(
                    f"{table}.{key}={value} contradicts {folder.name}, which has {has.get(field)}: "
                    "a resumed run keeps its settings; only --epochs may extend it"
                )
    return resume(folder, epochs=epochs, track=track, **options)
